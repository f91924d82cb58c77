-- Money on its way back: refunds, and payments that a provider took back.

-- One row a payment that was credited: what was paid, what is on its way back, what went back, what was taken back.
-- A fold of facts that the poster keeps under lock; in it no refunds of a payment ever come to more than the payment.
CREATE TABLE paid (
    fact         bigint PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    intent       bigint NOT NULL,
    our_ref      text NOT NULL,
    provider     text NOT NULL,
    account      bigint,
    provider_ref text NOT NULL,
    currency     text NOT NULL,
    paid_minor   bigint NOT NULL CHECK (paid_minor > 0),
    open_minor   bigint NOT NULL DEFAULT 0,
    done_minor   bigint NOT NULL DEFAULT 0,
    lost_minor   bigint NOT NULL DEFAULT 0,
    credited_us  bigint NOT NULL,
    UNIQUE (book, provider, provider_ref),
    CONSTRAINT never_more_open_than_paid CHECK (open_minor BETWEEN 0 AND paid_minor),
    CONSTRAINT never_more_back_than_paid CHECK (done_minor BETWEEN 0 AND paid_minor),
    CONSTRAINT never_more_lost_than_paid CHECK (lost_minor BETWEEN 0 AND paid_minor)
);
CREATE INDEX paid_wallet ON paid (wallet, fact);
CREATE INDEX paid_ref ON paid (our_ref);
COMMENT ON TABLE paid IS 'fact: the payment''s. Minor units. open: held for refunds not confirmed; done: refunded; lost: charged back';

CREATE FUNCTION refunds_within_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.fact, NEW.book, NEW.wallet, NEW.intent, NEW.our_ref, NEW.provider, NEW.provider_ref, NEW.currency, NEW.paid_minor, NEW.credited_us)
        IS DISTINCT FROM (OLD.fact, OLD.book, OLD.wallet, OLD.intent, OLD.our_ref, OLD.provider, OLD.provider_ref, OLD.currency, OLD.paid_minor,
        OLD.credited_us) OR NEW.account IS DISTINCT FROM OLD.account THEN
        RAISE EXCEPTION 'a payment stays what it was' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- What is newly held must fit; what a provider did beside it is the provider's truth, and is bounded by the checks above.
    IF NEW.open_minor > OLD.open_minor AND NEW.open_minor + NEW.done_minor + NEW.lost_minor > NEW.paid_minor THEN
        RAISE EXCEPTION 'refunds of payment % would come to more than was paid', NEW.fact USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_within_paid BEFORE UPDATE ON paid FOR EACH ROW EXECUTE FUNCTION refunds_within_paid();
CREATE TRIGGER paid_kept BEFORE DELETE ON paid FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE paid ENABLE ALWAYS TRIGGER refunds_within_paid, ENABLE ALWAYS TRIGGER paid_kept;

-- What was credited before this release.
SELECT set_config('fairwatt.books', (SELECT coalesce(string_agg(id::text, ','), '') FROM store_book), true), set_config('fairwatt.wallets', '*', true);
INSERT INTO paid (fact, book, wallet, intent, our_ref, provider, account, provider_ref, currency, paid_minor, credited_us)
    SELECT f.id, f.book, f.wallet, i.id, i.our_ref, i.provider, i.account_id, f.result->>'provider_ref', i.currency,
           (f.result->>'amount_minor')::bigint, coalesce(i.credited_us, f.created_us)
      FROM fact f JOIN store_paymentintent i ON i.our_ref = f.result->>'our_ref' AND i.book_id = f.book
     WHERE f.kind = 'payment' AND f.state = 'posted' AND f.result->>'outcome' = 'credited'
    ON CONFLICT DO NOTHING;

-- A refund, from its asking to its end. What was asked stays; the state moves by one table, and the poster moves it.
CREATE TABLE refund (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book            int NOT NULL,
    wallet          bigint NOT NULL,
    refund_ref      text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', ''),
    origin          text NOT NULL CHECK (origin IN ('desk', 'resident', 'move', 'provider')),
    way             text NOT NULL CHECK (way IN ('source', 'window')),
    payment         bigint REFERENCES paid (fact),
    account         bigint,
    wish            bigint,
    asked_minor     bigint NOT NULL CHECK (asked_minor > 0),
    currency        text NOT NULL,
    reason          text NOT NULL DEFAULT '' CHECK (length(reason) <= 300),
    author          bigint,
    asked_us        bigint NOT NULL,
    by_role         text NOT NULL DEFAULT current_user,
    state           text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'refused', 'withdrawn', 'approved', 'submitted',
                        'succeeded', 'failed', 'abnormal')),
    amount_minor    bigint NOT NULL DEFAULT 0,
    code            text NOT NULL DEFAULT '',
    held_batch      bigint,
    moved_us        bigint NOT NULL DEFAULT 0,
    provider_refund text NOT NULL DEFAULT '',
    paid_by         text NOT NULL DEFAULT '' CHECK (paid_by IN ('', 'source', 'window', 'both')),
    ask_us          bigint,
    asks            int NOT NULL DEFAULT 0,
    troubles        int NOT NULL DEFAULT 0,
    trouble         text NOT NULL DEFAULT '',
    UNIQUE (book, refund_ref),
    CHECK (amount_minor BETWEEN 0 AND asked_minor),
    CHECK (way = 'window' OR payment IS NOT NULL OR origin = 'provider')
);
CREATE UNIQUE INDEX refund_at_provider ON refund (account, provider_refund) WHERE provider_refund <> '';
CREATE INDEX refund_book ON refund (book, id);
CREATE INDEX refund_wallet ON refund (wallet, id);
CREATE INDEX refund_to_ask ON refund (ask_us) WHERE ask_us IS NOT NULL;
CREATE INDEX refund_open ON refund (book, id) WHERE state IN ('requested', 'approved', 'submitted', 'abnormal');
COMMENT ON COLUMN refund.held_batch IS 'the batch in which the money left the wallet; what gateways took later, they gave back';

CREATE FUNCTION refund_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
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
        ('abnormal', 'succeeded'), ('abnormal', 'failed'), ('failed', 'succeeded')) THEN
        RAISE EXCEPTION 'a refund that is % cannot become %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refund_moves_on BEFORE UPDATE ON refund FOR EACH ROW EXECUTE FUNCTION refund_moves_on();
CREATE TRIGGER refund_kept BEFORE DELETE ON refund FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE refund ENABLE ALWAYS TRIGGER refund_moves_on, ENABLE ALWAYS TRIGGER refund_kept;

-- What people answered: agreed, refused, withdrew, paid out, and saw paid out. Once each.
CREATE TABLE refund_answer (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    refund  bigint NOT NULL REFERENCES refund (id),
    book    int NOT NULL,
    wallet  bigint NOT NULL,
    answer  text NOT NULL CHECK (answer IN ('approve', 'refuse', 'withdraw', 'paid_out', 'confirm')),
    author  bigint NOT NULL,
    words   text NOT NULL DEFAULT '' CHECK (length(words) <= 300),
    by_role text NOT NULL DEFAULT current_user,
    at_us   bigint NOT NULL,
    UNIQUE (refund, answer)
);

-- Two people, also for the database: an administrator agrees who did not ask; who saw the money paid out is not who paid it.
CREATE FUNCTION refund_needs_two() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE asked refund;
DECLARE person store_user;
BEGIN
    SELECT * INTO asked FROM refund WHERE id = NEW.refund;
    SELECT u.* INTO person FROM store_user u JOIN store_book b ON b.organisation_id = u.organisation_id
     WHERE u.id = NEW.author AND b.id = NEW.book AND u.is_active AND u.role IN ('operator', 'admin');
    IF asked.id IS NULL OR (asked.book, asked.wallet) <> (NEW.book, NEW.wallet) OR person.id IS NULL THEN
        RAISE EXCEPTION 'nobody of this organisation answers such a refund' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.answer = 'approve' AND (person.role <> 'admin' OR NEW.author = asked.author) THEN
        RAISE EXCEPTION 'a refund is agreed to by an administrator who did not ask for it' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.answer = 'confirm' AND NOT EXISTS (SELECT 1 FROM refund_answer a WHERE a.refund = NEW.refund AND a.answer = 'paid_out'
        AND a.author <> NEW.author) THEN
        RAISE EXCEPTION 'nobody confirms alone that money was paid out' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT ON refund_answer FOR EACH ROW EXECUTE FUNCTION refund_needs_two();
ALTER TABLE refund_answer ENABLE ALWAYS TRIGGER two_people;

-- Up to how much a resident's own wish is paid back without a second person, in a day and a home. The newest row holds.
CREATE TABLE refund_policy (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    auto_minor bigint NOT NULL CHECK (auto_minor >= 0),
    author     text NOT NULL,
    at_us      bigint NOT NULL
);

-- A payment that its provider took back: a dispute at a card, a reversal of M-PESA.
CREATE TABLE chargeback (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    payment      bigint NOT NULL REFERENCES paid (fact),
    account      bigint NOT NULL,
    provider_ref text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency     text NOT NULL,
    state        text NOT NULL CHECK (state IN ('open', 'lost', 'won')),
    taken        boolean NOT NULL,
    told_us      bigint NOT NULL,
    moved_us     bigint NOT NULL,
    UNIQUE (account, provider_ref)
);
CREATE INDEX chargeback_wallet ON chargeback (wallet, id);
CREATE TRIGGER chargeback_kept BEFORE DELETE ON chargeback FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE chargeback ENABLE ALWAYS TRIGGER chargeback_kept;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['refund_answer', 'refund_policy'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['paid', 'refund', 'refund_answer', 'refund_policy', 'chargeback'] LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- The collector hears that a refund may be asked for, and that something was heard of one.
CREATE INDEX payment_event_back ON store_paymentevent (id) WHERE kind <> 'payment';
CREATE FUNCTION refunds_call_the_collector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('collect', 'back');
    RETURN NULL;
END $$;
CREATE TRIGGER refund_calls_the_collector AFTER UPDATE OF state ON refund FOR EACH ROW
    WHEN (NEW.state = 'submitted' AND NEW.way = 'source') EXECUTE FUNCTION refunds_call_the_collector();
ALTER TABLE refund ENABLE ALWAYS TRIGGER refund_calls_the_collector;
DROP TRIGGER hint_calls_the_collector ON store_paymentevent;
CREATE TRIGGER hint_calls_the_collector AFTER INSERT ON store_paymentevent FOR EACH ROW
    WHEN (NEW.assurance = 'hint' AND NEW.kind = 'payment') EXECUTE FUNCTION hint_calls_the_collector();
CREATE TRIGGER back_calls_the_collector AFTER INSERT ON store_paymentevent FOR EACH ROW
    WHEN (NEW.kind <> 'payment' AND NEW.assurance IN ('hint', 'signed')) EXECUTE FUNCTION refunds_call_the_collector();
ALTER TABLE store_paymentevent ENABLE ALWAYS TRIGGER hint_calls_the_collector, ENABLE ALWAYS TRIGGER back_calls_the_collector;
