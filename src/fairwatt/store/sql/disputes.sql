-- Everything said and shown in a case stays as it was.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['store_dispute', 'store_disputeentry'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- Whoever rules is staff of the book's organisation; whoever approves is an administrator and somebody else; nobody
-- gives back more than the line took.
CREATE FUNCTION a_ruling_needs_two() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person record;
    ruling record;
BEGIN
    IF NEW.kind NOT IN ('ruling', 'approval', 'refusal') THEN
        RETURN NEW;
    END IF;
    SELECT u.role, u.organisation_id = b.organisation_id AS ours INTO person
      FROM store_user u, store_book b WHERE u.id = NEW.author_id AND b.id = NEW.book_id;
    IF NOT coalesce(person.ours, false) OR person.role NOT IN ('operator', 'admin') THEN
        RAISE EXCEPTION 'only staff of the organisation rules on a dispute' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.author_id = (SELECT opened_by_id FROM store_dispute WHERE id = NEW.dispute_id)
       OR EXISTS (SELECT 1 FROM store_tenancy t JOIN store_dispute d ON d.wallet_id = t.wallet_id
                   WHERE d.id = NEW.dispute_id AND t.user_id = NEW.author_id) THEN
        RAISE EXCEPTION 'nobody judges in his own cause' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.kind = 'ruling' AND NEW.refund_micro > (SELECT charged_micro FROM store_dispute WHERE id = NEW.dispute_id) THEN
        RAISE EXCEPTION 'a ruling gives back at most what the line took' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind IN ('approval', 'refusal') THEN
        SELECT author_id, kind, dispute_id INTO ruling FROM store_disputeentry WHERE id = NEW.about_id;
        IF ruling.kind IS DISTINCT FROM 'ruling' OR ruling.dispute_id IS DISTINCT FROM NEW.dispute_id THEN
            RAISE EXCEPTION 'an approval names a ruling of its case' USING ERRCODE = 'check_violation';
        END IF;
        IF person.role <> 'admin' OR ruling.author_id = NEW.author_id THEN
            RAISE EXCEPTION 'a ruling is answered by an administrator who did not make it' USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_ruling_needs_two BEFORE INSERT ON store_disputeentry FOR EACH ROW EXECUTE FUNCTION a_ruling_needs_two();
ALTER TABLE store_disputeentry ENABLE ALWAYS TRIGGER a_ruling_needs_two;
