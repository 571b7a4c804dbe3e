// The words of a block. A test holds them to services/model/display.py.

export const LINES =
  "online,today,yesterday,this_week,last_week,this_month,last_month,this_year,last_year,total,peak".split(
    ","
  );

/** The lines of a block that names none. */
export const DEFAULT_LINES = "online,today,yesterday,this_week,this_month,this_year,total";

/** Language → the labels of all lines, then HEADING and MOST_READ. */
export const WORDS = {
  vi: "Đang truy cập,Hôm nay,Hôm qua,Tuần này,Tuần trước,Tháng này,Tháng trước,Năm này,Năm trước,Tổng lượt truy cập,Nhiều nhất cùng lúc,Thống kê truy cập,Đọc nhiều nhất".split(
    ","
  ),
  en: "Online,Today,Yesterday,This week,Last week,This month,Last month,This year,Last year,Total,Most at once,Visitor statistics,Most read".split(
    ","
  )
};

export const TOTAL = LINES.indexOf("total");
export const HEADING = LINES.length;
export const MOST_READ = HEADING + 1;
