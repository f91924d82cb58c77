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
    FOREACH t IN ARRAY ARRAY['line', 'fact', 'outbox', 'event', 'wallet_head', 'register_head', 'use_day', 'rerating', 'correction', 'restore_code',
        'cost_entry', 'store_allocationshare', 'store_coststep', 'store_accountparameter'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['batch', 'journal', 'quarantine', 'gateway_head', 'shard', 'cache_mark'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['store_periodclose', 'store_supplierbill', 'store_truststatement', 'store_openingentry'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book_id = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['store_dispute', 'store_disputeentry'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book_id = ANY (seen_books()) AND sees_wallet(wallet_id))', t);
    END LOOP;
END $$;

-- The clock of a gateway is seen by whoever has a home behind it.
ALTER TABLE gateway_clock ENABLE ROW LEVEL SECURITY;
ALTER TABLE gateway_clock FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_rows ON gateway_clock;
CREATE POLICY own_rows ON gateway_clock USING (book = ANY (seen_books()) AND EXISTS (
    SELECT 1 FROM store_meter m JOIN store_installation i ON i.meter_id = m.id
     WHERE m.gateway_id = gateway_clock.gateway AND sees_wallet(i.wallet_id)));

-- Interval values and the quality of meters: the desk's, never a resident's.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['interval_import', 'interval_raw', 'interval_value', 'interval_defect', 'meter_certificate',
        'meter_check', 'estimate_approval'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
END $$;

-- A restore code on its way, and how many a home may have: the desk's, never a resident's.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['restore_answer', 'restore_policy'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
END $$;

-- Who left and who came, and what is owed to who left: the desk's. A resident sees the own end and the own refund.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['changeover', 'changeover_known'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['account_end', 'refund_wish'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet))', t);
    END LOOP;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
-- From every role at once, before the first grant: a function is given to several roles in one line, tables role by role.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, fairwatt_poster, fairwatt_web, fairwatt_auditor, fairwatt_collector,
    fairwatt_telemetry, fairwatt_notifier;
GRANT USAGE ON SCHEMA public TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
GRANT EXECUTE ON FUNCTION seen_books(), sees_wallet(bigint), see_book(int) TO fairwatt_poster, fairwatt_web, fairwatt_auditor;

-- What an earlier release granted is taken back first: this file is the whole truth about who may do what.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM fairwatt_poster, fairwatt_web, fairwatt_auditor;

-- The poster reads what prices and supply depend on, and nothing about people.
GRANT SELECT ON line, batch, journal, shard, outbox, event, quarantine, gateway_head, wallet_head, register_head, use_day, cache_mark, fact,
    store_book, store_site, store_unit, store_wallet, store_gateway, store_meter, store_installation, store_tariffplan,
    store_tariffpublication, store_policy, store_paymentintent TO fairwatt_poster;
-- What the prices of a home depend on is commissioned, like the prices; the web shows it.
GRANT SELECT ON store_accountparameter TO fairwatt_poster, fairwatt_auditor;
GRANT INSERT ON line, batch, journal, outbox, event, quarantine, gateway_head, wallet_head, register_head, use_day, cache_mark, shard TO fairwatt_poster;
GRANT SELECT, INSERT ON rerating, correction, gateway_clock TO fairwatt_poster;
-- A confirmed tariff correction becomes a publication by the poster's hand, with the text that commissioning placed.
GRANT SELECT ON store_tariffcorrection TO fairwatt_poster;
GRANT INSERT ON store_tariffpublication TO fairwatt_poster;
-- Who confirmed it must be an administrator of the organisation: of people the poster knows that, and no more.
GRANT SELECT (id, username, organisation_id, role, is_active) ON store_user TO fairwatt_poster;
GRANT UPDATE ON shard, outbox, gateway_head, wallet_head, register_head, use_day, cache_mark TO fairwatt_poster;
GRANT UPDATE (state, result, batch) ON fact TO fairwatt_poster;
GRANT UPDATE (state, provider_ref, credited_us) ON store_paymentintent TO fairwatt_poster;
GRANT DELETE ON wallet_head, register_head, use_day TO fairwatt_poster;
GRANT EXECUTE ON FUNCTION make_line_partitions(timestamptz, timestamptz) TO fairwatt_poster;

-- Fees and shared costs: people write down what is owed and what they decide, the poster alone what was taken.
GRANT SELECT ON cost_entry, store_unitmeasure, store_landlordaccount, store_feerule, store_fee, store_feeend, store_costformula,
    store_allocation, store_allocationproof, store_allocationshare, store_coststep TO fairwatt_poster;
GRANT SELECT (wallet_id, start_us, end_us) ON store_tenancy TO fairwatt_poster;
GRANT INSERT ON cost_entry TO fairwatt_poster;
-- What falls due by the clock is a fact of the poster's own process, answered like any other.
GRANT INSERT (book, kind, natural_key, wallet, payload, raw, created_us) ON fact TO fairwatt_poster;
GRANT EXECUTE ON FUNCTION add_fact(int, text, text, text, bigint, jsonb, bytea, bigint) TO fairwatt_poster, fairwatt_web;
-- What an adjustment or an opening balance rests on is looked up by the poster itself.
GRANT SELECT ON store_dispute, store_disputeentry, store_openingentry TO fairwatt_poster;

-- A home changes hands by the poster's hand: it closes one installation and opens the next, with the lines between them.
GRANT INSERT ON store_wallet, store_meter, store_installation, store_tenancy, store_landlordaccount TO fairwatt_poster;
GRANT SELECT (id, user_id, role), UPDATE (end_us) ON store_tenancy TO fairwatt_poster;
GRANT UPDATE (closed_us) ON store_installation TO fairwatt_poster;
GRANT UPDATE (vacant) ON store_unit TO fairwatt_poster;
GRANT SELECT, INSERT ON changeover, changeover_known, account_end, refund_wish TO fairwatt_poster;

-- The web shows, signs people in, and writes down what somebody means to pay. It cannot touch what money is made of:
-- prices, policies, homes, meters, keys, currencies. Commissioning does that, as the role that migrates.
DO $$
DECLARE t text;
BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^(django_session|account_|mfa_)' LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO fairwatt_web', t);
    END LOOP;
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^(store|django|auth)_' LOOP
        EXECUTE format('GRANT SELECT ON %I TO fairwatt_web', t);
    END LOOP;
END $$;
GRANT INSERT ON store_paymentintent TO fairwatt_web;
-- Not the rule for fees: whether a fee may ever cut the power is commissioned, never typed into a page.
GRANT INSERT ON store_unitmeasure, store_fee, store_feeend, store_costformula, store_allocation, store_allocationproof,
    store_allocationshare, store_coststep TO fairwatt_web;
-- What bookkeepers and residents write down; all of it append-only. Opening balances make credit: commissioning only.
GRANT INSERT ON store_periodclose, store_supplierbill, store_truststatement, store_dispute, store_disputeentry TO fairwatt_web;
GRANT UPDATE (password, last_login, first_name, last_name, email) ON store_user TO fairwatt_web;
GRANT SELECT ON django_migrations, line, batch, journal, shard, outbox, event, quarantine, gateway_head, wallet_head, register_head,
    use_day, cache_mark, fact, rerating, correction, gateway_clock, cost_entry, changeover, changeover_known, account_end,
    refund_wish TO fairwatt_web;
-- A fact comes in waiting: its state, answer and batch are the poster's to write.
GRANT INSERT (book, kind, natural_key, wallet, payload, raw, created_us) ON fact TO fairwatt_web;
-- What commissioning asks for, and what the poster's own clock raises, is not asked for by a page.
DROP POLICY IF EXISTS not_the_webs ON fact;
CREATE POLICY not_the_webs ON fact AS RESTRICTIVE FOR INSERT TO fairwatt_web
    WITH CHECK (kind NOT IN ('config', 'opening', 'reading_edit', 'fee_run', 'publication', 'allocation', 'share', 'window_close', 'credit_change',
        'refund_word', 'refund_recalled', 'provider_fee', 'let'));

-- An intent begins unpaid; only the poster's fold of signed facts moves it on.
CREATE OR REPLACE FUNCTION intent_begins_unpaid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'created' OR NEW.provider_ref <> '' OR NEW.credited_us IS NOT NULL OR NEW.provider_order <> ''
        OR NEW.action IS NOT NULL THEN
        RAISE EXCEPTION 'a payment intent begins unpaid' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- What the provider lists unasked is written down by who reads its list; whatever else is meant to be paid, by people.
    IF (current_user = 'fairwatt_collector') <> (NEW.method = 'paybill') THEN
        RAISE EXCEPTION 'only the collector writes down what began at the provider' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS intent_begins_unpaid ON store_paymentintent;
CREATE TRIGGER intent_begins_unpaid BEFORE INSERT ON store_paymentintent FOR EACH ROW EXECUTE FUNCTION intent_begins_unpaid();
ALTER TABLE store_paymentintent ENABLE ALWAYS TRIGGER intent_begins_unpaid;

GRANT SELECT ON line, batch, journal, shard, outbox, event, quarantine, gateway_head, wallet_head, register_head, use_day, cache_mark, fact,
    store_organisation, store_book, store_site, store_unit, store_wallet, store_gateway, store_meter, store_installation,
    store_tariffplan, store_tariffpublication, store_policy, store_paymentintent, rerating, correction, gateway_clock, store_tariffcorrection,
    changeover, changeover_known, account_end, refund_wish TO fairwatt_auditor;
GRANT SELECT ON cost_entry, store_unitmeasure, store_landlordaccount, store_feerule, store_fee, store_feeend, store_costformula,
    store_allocation, store_allocationproof, store_allocationshare, store_coststep TO fairwatt_auditor;

-- Interval values, certificates and tests: the web adds rows, nobody changes one. An edit, an import, an approval leaves
-- an event in the same transaction; the web may add events of the desk and no others.
GRANT SELECT, INSERT ON interval_import, interval_raw, interval_value, interval_defect, meter_certificate, meter_check,
    estimate_approval TO fairwatt_web;
GRANT SELECT ON interval_import, interval_raw, interval_value, interval_defect, meter_certificate, meter_check,
    estimate_approval TO fairwatt_auditor;
GRANT SELECT ON estimate_approval TO fairwatt_poster;
GRANT INSERT (book, at_us, kind, wallet, gateway, meter, reason, rule, evidence, batch) ON event TO fairwatt_web;
DROP POLICY IF EXISTS desk_only ON event;
CREATE POLICY desk_only ON event AS RESTRICTIVE FOR INSERT TO fairwatt_web WITH CHECK (starts_with(kind, 'desk.') AND batch = 0);
GRANT SELECT ON store_tenancy, store_periodclose, store_supplierbill, store_truststatement, store_openingentry,
    store_dispute, store_disputeentry TO fairwatt_auditor;

-- The poster makes restore codes and leaves the digits; the web may read them once, which deletes them, and write none.
GRANT SELECT, INSERT ON restore_code TO fairwatt_poster;
GRANT SELECT (fact, made_us), INSERT, DELETE ON restore_answer TO fairwatt_poster;
GRANT SELECT ON restore_policy TO fairwatt_poster;
GRANT SELECT, DELETE ON restore_answer TO fairwatt_web;
GRANT SELECT ON restore_code, restore_policy TO fairwatt_web, fairwatt_auditor;

-- Merchant accounts: a page may propose keys, sealed, and choose what is offered; what it proposed takes effect once somebody
-- confirmed it at the command line, and what acts in the merchant's name nobody reads but the collector.
GRANT INSERT ON store_merchantaccount, store_merchantkey, store_merchantoffer, merchant_acting TO fairwatt_web;
GRANT SELECT ON merchant_key_in_force TO fairwatt_web, fairwatt_poster;
GRANT SELECT ON store_merchantaccount, store_merchantkey, store_merchantconfirmation TO fairwatt_poster;
GRANT SELECT ON store_merchantaccount, store_merchantoffer, store_merchanthealth, store_merchantconfirmation, store_paymentevent,
    store_callbackcount TO fairwatt_auditor;
GRANT SELECT (id, account_id, settings, fingerprint, created_us, author, by_role) ON store_merchantkey TO fairwatt_auditor;
-- What was heard of payments: one row a hearing, for who may see the wallet. Counts of refused callbacks are the desk's.
ALTER TABLE store_paymentevent ENABLE ROW LEVEL SECURITY;
ALTER TABLE store_paymentevent FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_rows ON store_paymentevent;
CREATE POLICY own_rows ON store_paymentevent USING (book_id = ANY (seen_books()) AND sees_wallet(wallet));
GRANT INSERT ON store_paymentevent TO fairwatt_web;
GRANT EXECUTE ON FUNCTION hear_of_payment(int, bigint, bigint, bigint, text, text, text, text, text, text, bigint, text, bigint,
    text, text, bigint, boolean, text, text, jsonb, bytea) TO fairwatt_web;
GRANT SELECT, INSERT, UPDATE ON store_callbackcount TO fairwatt_web;
-- The collector is told what to ask, and writes down what it heard: intents of accounts, events, and facts that wait for the
-- poster. It reads no ledger, no person, and cannot say that anything was credited.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM fairwatt_collector;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM fairwatt_collector;
GRANT USAGE ON SCHEMA public TO fairwatt_collector;
GRANT EXECUTE ON FUNCTION seen_books(), sees_wallet(bigint), see_book(int), add_fact(int, text, text, text, bigint, jsonb, bytea,
    bigint), hear_of_payment(int, bigint, bigint, bigint, text, text, text, text, text, text, bigint, text, bigint, text, text,
    bigint, boolean, text, text, jsonb, bytea) TO fairwatt_collector;
GRANT SELECT ON merchant_key_in_force, store_merchantaccount, store_merchantkey, store_merchantconfirmation TO fairwatt_collector;
GRANT SELECT ON merchant_acting, store_paymentintent, store_organisation, store_book, store_paymentevent TO fairwatt_collector;
GRANT UPDATE (state, action, payer, provider_order, trouble, troubles, asks, ask_us) ON store_paymentintent TO fairwatt_collector;
GRANT INSERT ON store_paymentevent TO fairwatt_collector;
GRANT SELECT, INSERT, UPDATE ON store_merchanthealth TO fairwatt_collector;
GRANT SELECT ON fact TO fairwatt_collector;
GRANT INSERT (book, kind, natural_key, wallet, payload, raw, created_us) ON fact TO fairwatt_collector;
DROP POLICY IF EXISTS payments_only ON fact;
CREATE POLICY payments_only ON fact AS RESTRICTIVE FOR INSERT TO fairwatt_collector WITH CHECK (kind IN ('payment', 'refund_word', 'provider_fee'));
CREATE OR REPLACE FUNCTION only_the_poster_credits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'fairwatt_collector' AND NEW.state IS DISTINCT FROM OLD.state
        AND (OLD.state NOT IN ('created', 'pending', 'paid', 'expired', 'closed', 'failed')
             OR NEW.state NOT IN ('pending', 'paid', 'expired', 'closed', 'failed')) THEN
        RAISE EXCEPTION 'only the poster says that a payment was credited' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS only_the_poster_credits ON store_paymentintent;
CREATE TRIGGER only_the_poster_credits BEFORE UPDATE ON store_paymentintent FOR EACH ROW EXECUTE FUNCTION only_the_poster_credits();
ALTER TABLE store_paymentintent ENABLE ALWAYS TRIGGER only_the_poster_credits;

-- Money on its way back. People ask and answer, the poster alone moves it, the collector notes when it asks again.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['paid', 'refund', 'chargeback'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['refund_answer', 'refund_policy'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
END $$;
DROP POLICY IF EXISTS asked_by_people ON refund;
CREATE POLICY asked_by_people ON refund AS RESTRICTIVE FOR INSERT TO fairwatt_web WITH CHECK (origin IN ('desk', 'resident', 'move'));
GRANT SELECT ON paid, refund, refund_answer, refund_policy, chargeback TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
GRANT INSERT ON paid, refund, chargeback TO fairwatt_poster;
GRANT UPDATE (open_minor, done_minor, lost_minor) ON paid TO fairwatt_poster;
GRANT UPDATE (state, amount_minor, code, held_batch, moved_us, provider_refund, paid_by, ask_us) ON refund TO fairwatt_poster;
GRANT UPDATE (state, taken, moved_us) ON chargeback TO fairwatt_poster;
GRANT SELECT ON store_merchantaccount TO fairwatt_poster;
-- Not the state: a page asks and answers, and cannot say that anything was paid back.
GRANT INSERT (book, wallet, origin, way, payment, account, wish, asked_minor, currency, reason, author, asked_us)
    ON refund TO fairwatt_web;
GRANT INSERT (refund, book, wallet, answer, author, words, at_us) ON refund_answer TO fairwatt_web;
GRANT SELECT ON paid, refund, chargeback TO fairwatt_collector;
GRANT UPDATE (ask_us, asks, troubles, trouble) ON refund TO fairwatt_collector;

-- Numbers only for the tables one may add to: whoever counts on can tell the numbers of rows that are not his.
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM fairwatt_web, fairwatt_poster, fairwatt_auditor;
DO $$
DECLARE
    login text;
    counter record;
BEGIN
    FOREACH login IN ARRAY ARRAY['fairwatt_web', 'fairwatt_poster', 'fairwatt_collector'] LOOP
        FOR counter IN SELECT d.objid::regclass AS seq, d.refobjid AS owner FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
            WHERE c.relkind = 'S' AND c.relnamespace = 'public'::regnamespace AND d.deptype IN ('a', 'i')
              AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass LOOP
            IF has_any_column_privilege(login, counter.owner, 'INSERT') THEN
                EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', counter.seq, login);
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- Second by second: its own process under its own login adds blocks and makes steps of them; it sees which meter feeds
-- which wallet, and nothing of money, prices or people. A resident reads the own wallet's, the desk its books'.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['tele_second', 'tele_day'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I FOR SELECT TO fairwatt_web, fairwatt_auditor
            USING (book = ANY (seen_books()) AND sees_wallet(wallet))', t);
        EXECUTE format('DROP POLICY IF EXISTS keeper ON %I', t);
        EXECUTE format('CREATE POLICY keeper ON %I TO fairwatt_telemetry USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
ALTER TABLE tele_refused ENABLE ROW LEVEL SECURITY;
ALTER TABLE tele_refused FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_rows ON tele_refused;
CREATE POLICY own_rows ON tele_refused FOR SELECT TO fairwatt_web, fairwatt_auditor
    USING (book = ANY (seen_books()) AND current_setting('fairwatt.wallets', true) = '*');
DROP POLICY IF EXISTS keeper ON tele_refused;
CREATE POLICY keeper ON tele_refused TO fairwatt_telemetry USING (true) WITH CHECK (true);
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM fairwatt_telemetry;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM fairwatt_telemetry;
GRANT USAGE ON SCHEMA public TO fairwatt_telemetry;
GRANT SELECT (id, slug, site_id) ON store_gateway TO fairwatt_telemetry;
GRANT SELECT (id, slug, book_id) ON store_site TO fairwatt_telemetry;
GRANT SELECT (id, gateway_id, number) ON store_meter TO fairwatt_telemetry;
GRANT SELECT (id, meter_id, wallet_id, opened_us, closed_us) ON store_installation TO fairwatt_telemetry;
GRANT SELECT, INSERT ON tele_second TO fairwatt_telemetry;
GRANT SELECT, INSERT, DELETE ON tele_day, tele_rolled TO fairwatt_telemetry;
GRANT SELECT, INSERT, UPDATE (blocks, detail) ON tele_refused TO fairwatt_telemetry;
GRANT EXECUTE ON FUNCTION make_tele_partitions(bigint, bigint), drop_tele_day(bigint), tele_days() TO fairwatt_telemetry;
GRANT SELECT ON tele_second, tele_day, tele_rolled, tele_refused TO fairwatt_web, fairwatt_auditor;

-- Wishes for meters and gateways: a clerk writes them down, the poster's process alone orders.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['push', 'push_target', 'push_step', 'standing_order'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON push, push_target, push_step TO fairwatt_web;
GRANT SELECT ON standing_order TO fairwatt_web, fairwatt_auditor;
GRANT SELECT ON push, push_target, push_step TO fairwatt_poster, fairwatt_auditor;
GRANT INSERT ON push_step TO fairwatt_poster;
GRANT SELECT, INSERT ON standing_order TO fairwatt_poster;
GRANT UPDATE (state, reason, receipt, reported, moved_us, after_event) ON standing_order TO fairwatt_poster;
GRANT USAGE ON SEQUENCE push_id_seq, push_step_id_seq TO fairwatt_web;
GRANT USAGE ON SEQUENCE push_step_id_seq, standing_order_id_seq TO fairwatt_poster;
-- An order to cut or restore comes from a push that the poster's own process advanced.
DROP POLICY IF EXISTS no_supply_orders ON fact;
CREATE POLICY no_supply_orders ON fact AS RESTRICTIVE FOR INSERT TO fairwatt_web WITH CHECK (kind <> 'supply_order');

-- What homes are held to. A book's and a site's rules are seen by whoever lives there, a home's by that home alone.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['credit_entry'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['credit_rule', 'credit_step'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND (wallet IS NULL OR sees_wallet(wallet))) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
END $$;
-- What was lent and recovered is the poster's to write.
GRANT INSERT ON credit_entry TO fairwatt_poster;
GRANT EXECUTE ON FUNCTION carry_rules(int, bigint, bigint) TO fairwatt_poster;
GRANT USAGE ON SEQUENCE credit_entry_id_seq TO fairwatt_poster;
GRANT SELECT ON credit_entry, credit_rule, credit_step TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
-- Not by_role: who wrote a rule is noted by the database. What makes credit is taken from commissioning's rules only.
GRANT INSERT (book, site, wallet, kind, basis, from_us, until_us, body, details, words, source, loosens, author, created_us)
    ON credit_rule TO fairwatt_web;
GRANT INSERT (rule, book, wallet, step, author, words, at_us) ON credit_step TO fairwatt_web;
GRANT USAGE ON SEQUENCE credit_rule_id_seq, credit_step_id_seq TO fairwatt_web;
-- Forecasts are the web's to make: nothing is charged by them, and a wrong one warns early or late, never below the money that
-- the policy names. The poster reads at which amount a home is warned.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['forecast', 'forecast_head'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
END $$;
GRANT SELECT ON forecast, forecast_head TO fairwatt_web, fairwatt_poster, fairwatt_auditor;
GRANT INSERT ON forecast, forecast_head TO fairwatt_web;
GRANT UPDATE ON forecast_head TO fairwatt_web;
GRANT USAGE ON SEQUENCE forecast_id_seq TO fairwatt_web;
-- Commissioning: the desk's checklist, pictures of meters, and what alarms are set to. A picture is also its resident's.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['commission_step', 'alarm_setting', 'meter_photo'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
END $$;
DROP POLICY IF EXISTS residents_rows ON meter_photo;
CREATE POLICY residents_rows ON meter_photo FOR SELECT TO fairwatt_web USING (book = ANY (seen_books()) AND EXISTS (
    SELECT 1 FROM store_installation i WHERE i.meter_id = meter_photo.meter AND i.unit_id = meter_photo.unit
       AND sees_wallet(i.wallet_id) AND (meter_photo.wallet IS NULL OR meter_photo.wallet = i.wallet_id)));
GRANT SELECT, INSERT ON commission_step, meter_photo, alarm_setting TO fairwatt_web;
GRANT SELECT ON commission_step, meter_photo, alarm_setting TO fairwatt_auditor;
GRANT SELECT ON alarm_setting TO fairwatt_poster;
GRANT USAGE ON SEQUENCE commission_step_id_seq, meter_photo_id_seq, alarm_setting_id_seq TO fairwatt_web;
-- Providers' bills, and the days held against them: the desk's of the account's organisation. The collector writes what it
-- heard; the web's process compares and writes what it found, and what people say of it.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['provider_bill', 'bill_ask', 'bill_heal', 'reconciliation', 'reconciliation_word'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (current_setting(''fairwatt.wallets'', true) = ''*'' AND EXISTS (
            SELECT 1 FROM store_merchantaccount a JOIN store_book b ON b.organisation_id = a.organisation_id
             WHERE a.id = %I.account AND b.id = ANY (seen_books())))', t, t);
        EXECUTE format('DROP POLICY IF EXISTS collectors ON %I', t);
        EXECUTE format('CREATE POLICY collectors ON %I TO fairwatt_collector USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
ALTER TABLE provider_bill_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_bill_row FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_rows ON provider_bill_row;
CREATE POLICY own_rows ON provider_bill_row USING (EXISTS (SELECT 1 FROM provider_bill b WHERE b.id = bill));
ALTER TABLE reconciliation_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciliation_item FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_rows ON reconciliation_item;
CREATE POLICY own_rows ON reconciliation_item USING (EXISTS (SELECT 1 FROM reconciliation r WHERE r.id = reconciliation));
GRANT SELECT, INSERT ON provider_bill, provider_bill_row, bill_heal TO fairwatt_collector;
GRANT SELECT, INSERT, UPDATE ON bill_ask TO fairwatt_collector;
GRANT SELECT ON reconciliation, reconciliation_item, reconciliation_word, refunds_frozen TO fairwatt_collector;
-- A bill as it was downloaded may name payers: whoever looks at a day sees its rows.
GRANT SELECT (id, account, day, state, sha256, rows, detail, heard_us, by_role) ON provider_bill TO fairwatt_web, fairwatt_auditor;
GRANT SELECT ON provider_bill_row, bill_ask, bill_heal, refunds_frozen TO fairwatt_web, fairwatt_auditor;
GRANT SELECT ON provider_bill, provider_bill_row, refunds_frozen, reconciliation, reconciliation_item, reconciliation_word
    TO fairwatt_poster;
GRANT SELECT, INSERT ON reconciliation, reconciliation_item, reconciliation_word TO fairwatt_web;
GRANT SELECT ON reconciliation, reconciliation_item, reconciliation_word TO fairwatt_auditor;
GRANT USAGE ON SEQUENCE provider_bill_id_seq TO fairwatt_collector;
GRANT USAGE ON SEQUENCE reconciliation_id_seq, reconciliation_word_id_seq TO fairwatt_web;

-- The cash desk: the poster writes what was taken, people write wishes, and another person agrees. Residents see their receipts;
-- whoever holds a receipt's address sees that one, signed in or not.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['cash_desk', 'shift', 'shift_end', 'taking', 'cash_out', 'suspense_end', 'money_wish', 'money_step'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['receipt', 'credit_void'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet))', t);
    END LOOP;
END $$;
DROP POLICY IF EXISTS by_its_address ON receipt;
CREATE POLICY by_its_address ON receipt FOR SELECT TO fairwatt_web USING (code = current_setting('fairwatt.receipt', true));
DROP POLICY IF EXISTS by_its_address ON credit_void;
CREATE POLICY by_its_address ON credit_void FOR SELECT TO fairwatt_web USING (EXISTS (
    SELECT 1 FROM receipt r WHERE r.fact = credit_void.of AND r.code = current_setting('fairwatt.receipt', true)));
GRANT SELECT ON cash_desk, shift, shift_end, taking, cash_out, receipt, credit_void, suspense_end, money_wish, money_step
    TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
GRANT INSERT ON shift, shift_end, taking, cash_out, credit_void, suspense_end TO fairwatt_poster;
GRANT INSERT (book, number, fact, wallet, amount_micro, provider, reference, cashier, code, at_us, batch) ON receipt TO fairwatt_poster;
-- Not by_role: who wrote a wish is noted by the database.
GRANT INSERT (book, wallet, kind, key, amount_minor, details, words, author, created_us) ON money_wish TO fairwatt_web;
GRANT INSERT (wish, book, step, author, words, at_us) ON money_step TO fairwatt_web;
GRANT USAGE ON SEQUENCE money_wish_id_seq, money_step_id_seq TO fairwatt_web;

-- Telling people. Whoever writes an event of the ladder writes its notice; the notifier alone makes messages, moves them and
-- reads addresses; a page adds what its person chose, and bytes heard at the door.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['notice', 'message', 'message_step', 'escalation'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND (current_setting(''fairwatt.wallets'', true) = ''*'' OR sees_wallet(wallet)))', t);
        EXECUTE format('DROP POLICY IF EXISTS notifiers ON %I', t);
        EXECUTE format('CREATE POLICY notifiers ON %I TO fairwatt_notifier USING (true) WITH CHECK (true)', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['contact', 'contact_step', 'notice_choice'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (person::text = current_setting(''fairwatt.person'', true))', t);
        EXECUTE format('DROP POLICY IF EXISTS notifiers ON %I', t);
        EXECUTE format('CREATE POLICY notifiers ON %I TO fairwatt_notifier USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
DROP POLICY IF EXISTS by_its_address ON message;
CREATE POLICY by_its_address ON message FOR SELECT TO fairwatt_web USING (code = current_setting('fairwatt.message', true));
GRANT INSERT ON notice TO fairwatt_poster;
GRANT SELECT (id, wallet, step, event, at_us, reached_us) ON notice TO fairwatt_poster;
GRANT SELECT, INSERT ON escalation TO fairwatt_poster;
GRANT EXECUTE ON FUNCTION descent_of(bigint, bigint), was_reached(bigint, bigint), was_told_of_end(bigint, bigint) TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
-- Not what a notice is about: a code that proves an address is read by the notifier and by whoever holds the address.
GRANT SELECT (id, book, wallet, person, step, key, event, at_us, state, wave, next_us, reached_us) ON notice TO fairwatt_web, fairwatt_auditor;
GRANT SELECT ON message, message_step, escalation, notice_text, notify_channel TO fairwatt_web, fairwatt_auditor;
GRANT INSERT (book, wallet, person, step, key, about, at_us, next_us) ON notice TO fairwatt_web;
DROP POLICY IF EXISTS asked_for ON notice;
CREATE POLICY asked_for ON notice AS RESTRICTIVE FOR INSERT TO fairwatt_web WITH CHECK (step IN ('code', 'contact', 'again', 'auto', 'auto_failed', 'auto_ended'));
GRANT SELECT ON contact, contact_step, notice_choice TO fairwatt_web;
GRANT INSERT (person, channel, address, details, proof, added_us) ON contact TO fairwatt_web;
GRANT INSERT (contact, person, step, at_us) ON contact_step TO fairwatt_web;
GRANT INSERT (person, body, at_us) ON notice_choice TO fairwatt_web;
GRANT INSERT (organisation, step, language, subject, body, short, author, at_us) ON notice_text TO fairwatt_web;
GRANT INSERT (account, what, url, headers, body, heard_us) ON notify_heard TO fairwatt_web;
GRANT SELECT, INSERT, DELETE ON notify_pace TO fairwatt_web;
GRANT USAGE ON SEQUENCE notice_id_seq TO fairwatt_poster, fairwatt_web;
GRANT USAGE ON SEQUENCE escalation_id_seq TO fairwatt_poster;
GRANT USAGE ON SEQUENCE contact_id_seq, contact_step_id_seq, notice_choice_id_seq, notice_text_id_seq, notify_heard_id_seq TO fairwatt_web;
-- The notifier reads who lives where, what is left and when it ends; it writes messages and how they went, and nothing of money.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM fairwatt_notifier;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM fairwatt_notifier;
GRANT USAGE ON SCHEMA public TO fairwatt_notifier;
GRANT EXECUTE ON FUNCTION seen_books(), sees_wallet(bigint), see_book(int), descent_of(bigint, bigint), was_reached(bigint, bigint), was_told_of_end(bigint, bigint) TO fairwatt_notifier;
GRANT SELECT ON store_organisation, store_book, store_site, store_unit, store_wallet, store_tenancy, store_meter, store_installation,
    wallet_head, forecast_head, event, notice, message, message_step, escalation, contact, contact_step, notice_choice, notice_text,
    notify_channel, notify_heard, notify_pace TO fairwatt_notifier;
GRANT SELECT ON credit_entry, credit_rule, credit_step TO fairwatt_notifier;
GRANT SELECT (wallet, book, at_us) ON receipt TO fairwatt_notifier;
GRANT SELECT (id, username, email, first_name, last_name, organisation_id, role, is_active) ON store_user TO fairwatt_notifier;
GRANT INSERT ON notice, message, message_step, escalation, contact_step, notify_channel, notify_pace TO fairwatt_notifier;
GRANT UPDATE (state, wave, next_us, reached_us) ON notice TO fairwatt_notifier;
GRANT UPDATE (state, reason, tries, taken_us, due_us, account, provider_ref, moved_us, subject, body, params) ON message TO fairwatt_notifier;
GRANT UPDATE ON notify_channel TO fairwatt_notifier;
GRANT UPDATE (state, code) ON notify_heard TO fairwatt_notifier;
GRANT DELETE ON notify_pace TO fairwatt_notifier;
GRANT USAGE ON SEQUENCE notice_id_seq, message_id_seq, message_step_id_seq, escalation_id_seq, contact_step_id_seq TO fairwatt_notifier;

-- Short lets and circuits that stay on: people of the desk write down what is agreed, the poster what it did of it.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['short_let', 'short_let_word', 'short_let_step', 'circuit_mark'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
END $$;
GRANT SELECT ON short_let, short_let_word, short_let_step, circuit_mark TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
GRANT INSERT ON short_let_step TO fairwatt_poster;
-- Not by_role: who wrote it is noted by the database.
GRANT INSERT (book, unit, begin_us, end_us, merchant, users, policy, plan, settle, trading, words, ticket, together, author, made_us)
    ON short_let TO fairwatt_web;
GRANT INSERT (let, book, word, until_us, words, author, at_us) ON short_let_word TO fairwatt_web;
GRANT INSERT (book, gateway, meter, circuit, words, author, made_us) ON circuit_mark TO fairwatt_web;
GRANT USAGE ON SEQUENCE short_let_id_seq, short_let_word_id_seq, circuit_mark_id_seq TO fairwatt_web;
GRANT USAGE ON SEQUENCE short_let_step_id_seq TO fairwatt_poster;

-- Deposits: the poster writes what is held, a resident sees the own, the desk all of its books.
ALTER TABLE deposit_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE deposit_entry FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_rows ON deposit_entry;
CREATE POLICY own_rows ON deposit_entry USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()));
GRANT SELECT ON deposit_entry TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
GRANT INSERT ON deposit_entry TO fairwatt_poster;
GRANT USAGE ON SEQUENCE deposit_entry_id_seq TO fairwatt_poster;
-- Invitations: a home's own, and that of whoever holds its code. Who joins, leaves and is taken out is the poster's to write.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['home_invite', 'home_invite_end'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
END $$;
DROP POLICY IF EXISTS by_its_code ON home_invite;
CREATE POLICY by_its_code ON home_invite FOR SELECT TO fairwatt_web
    USING (encode(digest, 'hex') = nullif(current_setting('fairwatt.invite', true), ''));
DROP POLICY IF EXISTS by_its_code ON home_invite_end;
CREATE POLICY by_its_code ON home_invite_end FOR SELECT TO fairwatt_web USING (EXISTS (
    SELECT 1 FROM home_invite i WHERE i.id = invite AND encode(i.digest, 'hex') = nullif(current_setting('fairwatt.invite', true), '')));
GRANT SELECT ON home_invite, home_invite_end TO fairwatt_poster, fairwatt_web, fairwatt_auditor;
-- Not by_role: who wrote it is noted by the database.
GRANT INSERT (book, wallet, author, digest, name, made_us, expires_us) ON home_invite TO fairwatt_web;
GRANT INSERT ON home_invite_end TO fairwatt_poster;
GRANT USAGE ON SEQUENCE home_invite_id_seq TO fairwatt_web;

-- Invoices: documents follow the ledger and move nothing in it. A page issues them and keeps titles; who sells, and when documents
-- are due, is commissioned. Numbers are given by the database, whose counter nobody reads.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['buyer_title', 'buyer_title_end', 'bill', 'invoice', 'invoice_tax'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['invoice_run', 'invoice_run_end'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND current_setting(''fairwatt.wallets'', true) = ''*'')', t);
    END LOOP;
    ALTER TABLE invoice_setup ENABLE ROW LEVEL SECURITY;
    ALTER TABLE invoice_setup FORCE ROW LEVEL SECURITY;
    DROP POLICY IF EXISTS own_rows ON invoice_setup;
    CREATE POLICY own_rows ON invoice_setup USING (book = ANY (seen_books()));
END $$;
GRANT SELECT ON invoice_setup, buyer_title, buyer_title_end, invoice_run, invoice_run_end, bill, invoice, invoice_tax
    TO fairwatt_web, fairwatt_auditor;
GRANT INSERT ON buyer_title, buyer_title_end, invoice_run, invoice_run_end, invoice_tax TO fairwatt_web;
GRANT INSERT (book, wallet, after_batch, until_batch, start_us, end_us, net_micro, tax_micro, run, made_us) ON bill TO fairwatt_web;
-- Not the organisation and not the number: a trigger fills them in.
GRANT INSERT (series, book, wallet, sort, bill, of, whole, setup, title, buyer, parts, net_micro, tax_micro, net_minor, tax_minor,
    paid_minor, issued_us, due_us, reason, author) ON invoice TO fairwatt_web;
GRANT USAGE ON SEQUENCE buyer_title_id_seq, invoice_run_id_seq, bill_id_seq, invoice_id_seq TO fairwatt_web;

-- Moving from postpaid: people write down who pays after use, what they read, and which homes are to change; the poster alone
-- changes one. A resident sees the own home's.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['postpaid', 'hand_reading', 'hand_word', 'wave_home', 'switched'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['wave', 'wave_step'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()))', t);
    END LOOP;
END $$;
GRANT SELECT ON postpaid, hand_reading, hand_word, wave, wave_home, wave_step, switched TO fairwatt_web, fairwatt_poster, fairwatt_auditor;
GRANT INSERT ON postpaid, hand_reading, hand_word, wave, wave_home, wave_step TO fairwatt_web;
GRANT INSERT ON switched TO fairwatt_poster;
GRANT USAGE ON SEQUENCE hand_reading_id_seq, wave_id_seq, wave_step_id_seq TO fairwatt_web;
DROP POLICY IF EXISTS no_switches ON fact;
CREATE POLICY no_switches ON fact AS RESTRICTIVE FOR INSERT TO fairwatt_web WITH CHECK (kind <> 'switch');

-- E-fapiao: a page asks, the collector speaks with the platform and writes down what it said.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['efapiao', 'efapiao_step', 'efapiao_ask'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()))', t);
        EXECUTE format('DROP POLICY IF EXISTS collectors ON %I', t);
        EXECUTE format('CREATE POLICY collectors ON %I TO fairwatt_collector USING (true) WITH CHECK (true)', t);
    END LOOP;
    ALTER TABLE efapiao_platform ENABLE ROW LEVEL SECURITY;
    ALTER TABLE efapiao_platform FORCE ROW LEVEL SECURITY;
    DROP POLICY IF EXISTS own_rows ON efapiao_platform;
    CREATE POLICY own_rows ON efapiao_platform USING (book = ANY (seen_books()));
    DROP POLICY IF EXISTS collectors ON efapiao_platform;
    CREATE POLICY collectors ON efapiao_platform TO fairwatt_collector USING (true);
END $$;
GRANT SELECT ON efapiao_platform, efapiao, efapiao_step, efapiao_ask TO fairwatt_web, fairwatt_auditor, fairwatt_collector;
GRANT INSERT ON efapiao, efapiao_ask TO fairwatt_web;
GRANT INSERT ON efapiao_step TO fairwatt_collector;
GRANT UPDATE (ask_us, asks, trouble) ON efapiao_ask TO fairwatt_collector;
GRANT USAGE ON SEQUENCE efapiao_id_seq TO fairwatt_web;
GRANT USAGE ON SEQUENCE efapiao_step_id_seq TO fairwatt_collector;

-- Automatic top-ups: residents agree and end it, the keeper watches and writes intents, the collector speaks with the provider.
-- What may be taken from, the collector alone reads; that it was signed, it alone says.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['auto_plan', 'auto_terms', 'auto_try', 'auto_step'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (book = ANY (seen_books()) AND sees_wallet(wallet)) WITH CHECK (book = ANY (seen_books()) AND sees_wallet(wallet))', t);
        EXECUTE format('DROP POLICY IF EXISTS collectors ON %I', t);
        EXECUTE format('CREATE POLICY collectors ON %I TO fairwatt_collector USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT (id, book, wallet, account, author, our_ref, consent, language, return_url, made_us, expires_us, state, below, fall, fails, url,
    shown, trouble, ask_us) ON auto_plan TO fairwatt_web, fairwatt_auditor;
GRANT SELECT ON auto_terms, auto_try, auto_step TO fairwatt_web, fairwatt_auditor;
GRANT INSERT (book, wallet, account, author, our_ref, consent, language, return_url, made_us, expires_us, ask_us) ON auto_plan TO fairwatt_web;
GRANT UPDATE (state, below, fall, fails, ask_us) ON auto_plan TO fairwatt_web;
GRANT INSERT ON auto_terms, auto_try, auto_step TO fairwatt_web;
GRANT SELECT ON auto_plan, auto_try TO fairwatt_collector;
GRANT UPDATE (state, url, shown, payer, provider_order, trouble, asks, ask_us) ON auto_plan TO fairwatt_collector;
GRANT INSERT ON auto_step TO fairwatt_collector;
GRANT USAGE ON SEQUENCE auto_plan_id_seq, auto_terms_id_seq, auto_step_id_seq TO fairwatt_web;
GRANT USAGE ON SEQUENCE auto_step_id_seq TO fairwatt_collector;

-- Codes scanned at the window: the desk's, never a resident's.
ALTER TABLE code_scan ENABLE ROW LEVEL SECURITY;
ALTER TABLE code_scan FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_rows ON code_scan;
CREATE POLICY own_rows ON code_scan USING (book = ANY (seen_books()) AND current_setting('fairwatt.wallets', true) = '*');
GRANT SELECT, INSERT ON code_scan TO fairwatt_web;
GRANT SELECT (intent, book, wallet, cashier, shift, ticket, at_us) ON code_scan TO fairwatt_auditor;

-- Payments that begin at the provider. The web notes what was announced and reads homes to answer; that money came in, the
-- collector alone says, who reads no more of a home than its number, its book and whether a meter is at work there.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['announced', 'listed_payment', 'listening'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %I', t);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (current_setting(''fairwatt.wallets'', true) = ''*'' AND EXISTS (
            SELECT 1 FROM store_merchantaccount a JOIN store_book b ON b.organisation_id = a.organisation_id
             WHERE a.id = %I.account AND b.id = ANY (seen_books())))', t, t);
        EXECUTE format('DROP POLICY IF EXISTS collectors ON %I', t);
        EXECUTE format('CREATE POLICY collectors ON %I TO fairwatt_collector USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON announced TO fairwatt_web;
GRANT SELECT ON listening TO fairwatt_web;
GRANT SELECT ON announced, listed_payment, listening TO fairwatt_auditor;
GRANT SELECT ON announced, store_merchantoffer TO fairwatt_collector;
GRANT SELECT, INSERT ON listed_payment TO fairwatt_collector;
GRANT SELECT, INSERT, UPDATE ON listening TO fairwatt_collector;
GRANT SELECT (id, book_id) ON store_wallet TO fairwatt_collector;
GRANT SELECT (wallet_id, closed_us) ON store_installation TO fairwatt_collector;
GRANT INSERT ON store_paymentintent TO fairwatt_collector;
