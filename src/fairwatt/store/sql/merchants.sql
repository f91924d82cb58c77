-- What acts in a merchant's name, sealed for the collector: whoever may write it here cannot read it again.
CREATE TABLE merchant_acting (
    key    bigint PRIMARY KEY REFERENCES store_merchantkey (id),
    sealed bytea NOT NULL
);
COMMENT ON TABLE merchant_acting IS 'private keys and API secrets of merchants, sealed for the collector''s key';

-- Who wrote a row is noted by the database: what came in over a page takes effect only once it is confirmed elsewhere.
ALTER TABLE store_merchantkey ADD COLUMN by_role text NOT NULL DEFAULT current_user;
ALTER TABLE store_paymentevent ADD COLUMN by_role text NOT NULL DEFAULT current_user;

CREATE VIEW merchant_key_in_force WITH (security_invoker = true) AS
    SELECT k.id, k.account_id, k.settings, k.reading, k.created_us FROM store_merchantkey k
     WHERE k.by_role <> 'fairwatt_web' OR EXISTS (SELECT 1 FROM store_merchantconfirmation c WHERE c.key_id = k.id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['store_merchantaccount', 'store_merchantkey', 'store_merchantconfirmation', 'store_merchantoffer',
        'merchant_acting', 'store_paymentevent'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- The collector hears at once that somebody means to pay, and that something was heard of a payment.
CREATE FUNCTION call_the_collector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('collect', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER intent_calls_the_collector AFTER INSERT ON store_paymentintent FOR EACH ROW
    WHEN (NEW.account_id IS NOT NULL) EXECUTE FUNCTION call_the_collector();
ALTER TABLE store_paymentintent ENABLE ALWAYS TRIGGER intent_calls_the_collector;
CREATE FUNCTION hint_calls_the_collector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('collect', NEW.intent_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER hint_calls_the_collector AFTER INSERT ON store_paymentevent FOR EACH ROW
    WHEN (NEW.assurance = 'hint') EXECUTE FUNCTION hint_calls_the_collector();
ALTER TABLE store_paymentevent ENABLE ALWAYS TRIGGER hint_calls_the_collector;
