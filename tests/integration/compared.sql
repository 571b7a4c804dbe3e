-- What each case of test_compared.py has to say, in DuckDB, from the moments of the visits alone:
-- which days they belong to, which days a period has, which it is compared with, and the sums.

CREATE OR REPLACE TABLE days AS
SELECT site, CAST(make_timestamptz(moment * 1000) AT TIME ZONE zone AS DATE) AS day,
    sum(views) AS pageviews, count(*) AS visits, count(DISTINCT visitor) AS visitors
FROM visits JOIN sites USING (site)
GROUP BY ALL;

-- Of reports: 14 days earlier, the month that ends on the 14th is the calendar month before.
CREATE OR REPLACE TABLE periods AS
WITH named AS (
    SELECT *, starts_with(period, 'report_') AS is_report,
        replace(period, 'report_', '') AS length,
        coalesce(day, today) AS of_day
    FROM cases
), anchored AS (
    SELECT *, CASE WHEN is_report
        THEN CAST(date_trunc('month', of_day - INTERVAL 14 DAY) + INTERVAL 1 MONTH AS DATE)
        ELSE of_day END AS anchor
    FROM named
), calendar AS (
    SELECT *, CASE
        WHEN length IN ('month', 'quarter', 'year') THEN date_trunc(length, anchor)
        WHEN length = 'half' AND month(anchor) > 6
            THEN date_trunc('year', anchor) + INTERVAL 6 MONTH
        WHEN length IN ('half', 'nine_months') THEN date_trunc('year', anchor)
        WHEN length = '12mo' THEN date_trunc('month', anchor) - INTERVAL 11 MONTH
        END AS begins,
        CASE length WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 WHEN 'half' THEN 6
            WHEN 'nine_months' THEN 9 WHEN 'year' THEN 12 WHEN '12mo' THEN 12
            WHEN 'custom' THEN months ELSE 0 END AS months_long
    FROM anchored
), bounded AS (
    SELECT *, CAST(CASE
        WHEN length = 'custom' THEN custom_first
        WHEN length = 'day' THEN of_day
        WHEN length = 'yesterday' THEN today - INTERVAL 1 DAY
        WHEN length IN ('7d', '30d') THEN of_day - to_days(CAST(replace(length, 'd', '') AS INT) - 1)
        WHEN is_report THEN begins - INTERVAL 1 MONTH + INTERVAL 14 DAY
        ELSE begins END AS DATE) AS first,
        CAST(CASE
        WHEN length = 'custom' THEN custom_last
        WHEN length IN ('day', '7d', '30d') THEN of_day
        WHEN length = 'yesterday' THEN today - INTERVAL 1 DAY
        WHEN is_report
            THEN begins + to_months(CAST(months_long - 1 AS INT)) + INTERVAL 13 DAY
        ELSE begins + to_months(CAST(months_long AS INT)) - INTERVAL 1 DAY END AS DATE) AS last
    FROM calendar
), elapsed AS (
    SELECT *, greatest(first, least(last, today)) AS upto,
        CASE WHEN compare = 'year_over_year' OR length = 'nine_months' THEN 12
            ELSE months_long END AS back
    FROM bounded
)
SELECT id, site, first, upto,
    CAST(CASE
        WHEN against_first IS NOT NULL THEN against_first
        WHEN months_long > 0 OR compare = 'year_over_year'
            THEN first - to_months(CAST(back AS INT))
        ELSE first - to_days(CAST(upto - first + 1 AS INT)) END AS DATE) AS before_first,
    CAST(CASE
        WHEN against_last IS NOT NULL THEN against_last
        -- What is whole is compared with what is whole, whichever day its months end on.
        WHEN months_long > 0 AND upto = last
            THEN last + INTERVAL 1 DAY - to_months(CAST(back AS INT)) - INTERVAL 1 DAY
        WHEN months_long > 0 OR compare = 'year_over_year'
            THEN upto - to_months(CAST(back AS INT))
        ELSE first - INTERVAL 1 DAY END AS DATE) AS before_last
FROM elapsed;

-- No percentage leads from nothing to something, or from what was not counted.
CREATE OR REPLACE MACRO percent(is_known, of_now, of_before) AS CASE
    WHEN NOT is_known THEN NULL
    WHEN of_before > 0 THEN (of_now - of_before) * 100 / of_before
    WHEN of_now = 0 THEN 0
END;

CREATE OR REPLACE MACRO within(what, begins, ends, day) AS
    CAST(coalesce(sum(what) FILTER (day BETWEEN begins AND ends), 0) AS BIGINT);

-- Two weeks without a visit, of a site that most days with a visit follow one another of, were not
-- counted; so were not the days before the first.
CREATE OR REPLACE TABLE gaps AS
WITH following AS (
    SELECT site, day, lead(day) OVER (PARTITION BY site ORDER BY day) AS next FROM days
), daily AS (
    SELECT site FROM following GROUP BY site HAVING avg(CAST(next = day + 1 AS INT)) >= 0.5
)
SELECT site, CAST(day + 1 AS DATE) AS gap_first, CAST(next - 1 AS DATE) AS gap_last
FROM following JOIN daily USING (site)
WHERE next - day > 14;

CREATE OR REPLACE TABLE known AS
SELECT id, before_first >= any_value(since) AND count(gap_first) = 0 AS is_known
FROM periods JOIN (SELECT id, today FROM cases) USING (id)
    JOIN (SELECT site, min(day) AS since FROM days GROUP BY site) USING (site)
    LEFT JOIN gaps ON gaps.site = periods.site AND gap_first <= before_last
        AND gap_last >= before_first AND least(gap_last, today) - gap_first >= 13
GROUP BY id, before_first;

WITH sums AS (
    SELECT id, first, upto, before_first, before_last, is_known,
        within(pageviews, first, upto, day) AS views,
        within(visits, first, upto, day) AS visits,
        within(visitors, first, upto, day) AS visitors,
        within(pageviews, before_first, before_last, day) AS views_before,
        within(visits, before_first, before_last, day) AS visits_before,
        within(visitors, before_first, before_last, day) AS visitors_before
    FROM periods JOIN known USING (id) JOIN days USING (site)
    GROUP BY ALL
)
SELECT id, first, upto, before_first, before_last, views, visits, visitors,
    percent(is_known, views, views_before) AS views_change,
    percent(is_known, visits, visits_before) AS visits_change,
    percent(is_known, visitors, visitors_before) AS visitors_change
FROM sums
ORDER BY id
