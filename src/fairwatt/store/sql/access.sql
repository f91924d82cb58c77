-- Who may touch what. Deny by default; the poster writes the ledger, the web writes facts.
-- Run after every migration; safe to run again.
-- A request names what it may see for its transaction: fairwatt.books ('1,2') and fairwatt.wallets ('*' or '7,9').

CREATE OR REPLACE FUNCTION seen_books() RETURNS int[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT string_to_array(nullif(current_setting('fairwatt.books', true), ''), ',')::int[] $$;
CREATE OR REPLACE FUNCTION sees_wallet(wallet bigint) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT current_setting('fairwatt.wallets', true) = '*'
       OR wallet = ANY (string_to_array(nullif(nullif(current_setting('fairwatt.wallets', true), ''), '*'), ',')::bigint[]) $$;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['line', 'fact', 'outbox', 'event', 'wallet_head', 'register_head', 'use_day'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['batch', 'journal', 'quarantine', 'gateway_head', 'shard'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
GRANT EXECUTE ON FUNCTION seen_books(), sees_wallet(bigint) TO fairwatt_poster, fairwatt_web, fairwatt_auditor;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO fairwatt_poster;
GRANT INSERT ON line, batch, journal, outbox, event, quarantine, gateway_head, wallet_head, register_head, use_day, shard TO fairwatt_poster;
GRANT UPDATE ON shard, outbox, gateway_head, wallet_head, register_head, use_day TO fairwatt_poster;
GRANT UPDATE (state, result, batch) ON fact TO fairwatt_poster;
GRANT UPDATE (state, provider_ref, credited_us) ON store_paymentintent TO fairwatt_poster;
GRANT DELETE ON wallet_head, register_head, use_day TO fairwatt_poster;
GRANT EXECUTE ON FUNCTION make_line_partitions(timestamptz, timestamptz) TO fairwatt_poster;

-- The web keeps people, places and prices; of the ledger it may only read, and only what the request may see.
DO $$
DECLARE t text;
BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
              AND tablename ~ '^(store|django|auth|account|mfa)_' AND tablename <> 'django_migrations' LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO fairwatt_web', t);
    END LOOP;
END $$;
GRANT SELECT ON django_migrations, line, batch, journal, shard, outbox, event, quarantine, gateway_head, wallet_head, register_head,
    use_day, fact TO fairwatt_web;
-- A fact comes in waiting: its state, answer and batch are the poster's to write.
GRANT INSERT (book, kind, natural_key, wallet, payload, raw, created_us) ON fact TO fairwatt_web;
REVOKE UPDATE, DELETE ON store_paymentintent, store_tariffpublication FROM fairwatt_web;

GRANT SELECT ON line, batch, journal, shard, outbox, event, quarantine, gateway_head, wallet_head, register_head, use_day, fact,
    store_organisation, store_book, store_site, store_unit, store_wallet, store_gateway, store_meter, store_installation,
    store_tariffplan, store_tariffpublication, store_policy, store_paymentintent TO fairwatt_auditor;

GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO fairwatt_web, fairwatt_poster;
