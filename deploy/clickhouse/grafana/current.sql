-- Once, with an account that may; `luot` may. Whoever may read these views then reads them with the
-- rights of the account `luot`, and needs none on the tables behind them. For servers since 24.2.

ALTER TABLE luot.traffic_by_day MODIFY SQL SECURITY DEFINER DEFINER = luot;

ALTER TABLE luot.traffic_hits MODIFY SQL SECURITY DEFINER DEFINER = luot;
