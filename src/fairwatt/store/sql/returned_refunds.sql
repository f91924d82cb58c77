-- A refund that was paid may come back from the payer's bank: it is owed again, and waits for the window.
CREATE OR REPLACE FUNCTION refund_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.book, NEW.wallet, NEW.refund_ref, NEW.origin, NEW.way, NEW.asked_minor, NEW.currency, NEW.reason, NEW.asked_us, NEW.by_role)
        IS DISTINCT FROM (OLD.id, OLD.book, OLD.wallet, OLD.refund_ref, OLD.origin, OLD.way, OLD.asked_minor, OLD.currency, OLD.reason,
        OLD.asked_us, OLD.by_role) OR NEW.payment IS DISTINCT FROM OLD.payment OR NEW.account IS DISTINCT FROM OLD.account
        OR NEW.wish IS DISTINCT FROM OLD.wish OR NEW.author IS DISTINCT FROM OLD.author THEN
        RAISE EXCEPTION 'a refund stays what it was asked to be' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state, NEW.state) IN (
        ('requested', 'approved'), ('requested', 'refused'), ('requested', 'withdrawn'), ('approved', 'submitted'), ('approved', 'failed'),
        ('approved', 'withdrawn'), ('submitted', 'succeeded'), ('submitted', 'failed'), ('submitted', 'abnormal'), ('submitted', 'withdrawn'),
        ('abnormal', 'succeeded'), ('abnormal', 'failed'), ('failed', 'succeeded'), ('succeeded', 'abnormal')) THEN
        RAISE EXCEPTION 'a refund that is % cannot become %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
