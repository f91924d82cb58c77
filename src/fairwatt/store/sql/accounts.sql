-- What the prices of a home depend on: one row a parameter and instant, never changed.
CREATE INDEX accountparameter_book ON store_accountparameter (book, installation_id, from_us);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON store_accountparameter FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON store_accountparameter FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE store_accountparameter ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate;
-- The windows of a book that were settled are looked for by kind.
CREATE INDEX fact_window_close ON fact (book, natural_key) WHERE kind = 'window_close';
