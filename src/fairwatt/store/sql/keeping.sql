-- What bookkeepers enter is history too: written once, corrected by another row.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['store_periodclose', 'store_supplierbill', 'store_truststatement', 'store_openingentry'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- Months close one after another, and each takes up where the one before it ended.
CREATE FUNCTION months_close_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before record;
BEGIN
    SELECT end_us, last_batch INTO before FROM store_periodclose
     WHERE book_id = NEW.book_id ORDER BY end_us DESC LIMIT 1;
    IF FOUND AND (NEW.start_us <> before.end_us OR NEW.first_batch <> before.last_batch) THEN
        RAISE EXCEPTION 'month % does not follow the last closed month of book %', NEW.month, NEW.book_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.last_batch < NEW.first_batch OR NEW.as_of_batch < NEW.last_batch OR NEW.closed_us < NEW.end_us THEN
        RAISE EXCEPTION 'month % of book % is not over yet', NEW.month, NEW.book_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER months_close_in_order BEFORE INSERT ON store_periodclose
    FOR EACH ROW EXECUTE FUNCTION months_close_in_order();
ALTER TABLE store_periodclose ENABLE ALWAYS TRIGGER months_close_in_order;

-- A wallet's money movements, few beside its readings: statements and the age of credit find them by this.
CREATE INDEX line_money ON line (wallet, seq) WHERE kind NOT IN (1, 7);
