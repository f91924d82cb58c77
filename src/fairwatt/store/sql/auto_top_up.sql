-- A resident agreed that top-ups are taken when credit falls below a level: what was agreed, how it stands, every step.
CREATE TABLE auto_plan (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book           int NOT NULL,
    wallet         bigint NOT NULL,
    account        bigint NOT NULL REFERENCES store_merchantaccount (id),
    author         bigint NOT NULL,
    our_ref        text NOT NULL UNIQUE,
    consent        text NOT NULL CHECK (length(consent) BETWEEN 1 AND 2000),
    language       text NOT NULL,
    return_url     text NOT NULL,
    made_us        bigint NOT NULL,
    expires_us     bigint NOT NULL,
    state          text NOT NULL DEFAULT 'signing' CHECK (state IN ('signing', 'active', 'ended')),
    below          boolean NOT NULL DEFAULT false,
    fall           int NOT NULL DEFAULT 0,
    fails          smallint NOT NULL DEFAULT 0,
    url            text NOT NULL DEFAULT '',
    shown          text NOT NULL DEFAULT '',
    payer          text NOT NULL DEFAULT '',
    provider_order text NOT NULL DEFAULT '',
    trouble        text NOT NULL DEFAULT '',
    asks           int NOT NULL DEFAULT 0,
    ask_us         bigint
);
COMMENT ON COLUMN auto_plan.consent IS 'the words that were agreed to, as they stood on the page';
COMMENT ON COLUMN auto_plan.payer IS 'what may be taken from, in the provider''s numbers; the collector alone reads it';
COMMENT ON COLUMN auto_plan.fall IS 'how often credit has fallen below the level; below: it has not been above it since';
CREATE UNIQUE INDEX auto_plan_one ON auto_plan (wallet) WHERE state <> 'ended';
CREATE INDEX auto_plan_ask ON auto_plan (ask_us) WHERE ask_us IS NOT NULL;

-- The newest row holds. Append-only, like the steps.
CREATE TABLE auto_terms (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan             bigint NOT NULL REFERENCES auto_plan (id),
    book             int NOT NULL,
    wallet           bigint NOT NULL,
    author           bigint NOT NULL,
    below_micro      bigint,
    below_days       smallint CHECK (below_days BETWEEN 1 AND 30),
    amount_minor     bigint NOT NULL CHECK (amount_minor > 0),
    times_most       smallint NOT NULL CHECK (times_most BETWEEN 1 AND 31),
    month_most_minor bigint NOT NULL,
    at_us            bigint NOT NULL,
    CHECK ((below_micro IS NULL) <> (below_days IS NULL)),
    CHECK (month_most_minor >= amount_minor)
);
CREATE INDEX auto_terms_plan ON auto_terms (plan, id);

-- One fall below the level is answered by one payment: the key says it, whatever runs twice.
CREATE TABLE auto_try (
    plan    bigint NOT NULL REFERENCES auto_plan (id),
    fall    int NOT NULL,
    attempt smallint NOT NULL CHECK (attempt BETWEEN 1 AND 3),
    book    int NOT NULL,
    wallet  bigint NOT NULL,
    intent  bigint NOT NULL UNIQUE REFERENCES store_paymentintent (id),
    at_us   bigint NOT NULL,
    PRIMARY KEY (plan, fall, attempt)
);

CREATE TABLE auto_step (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan     bigint NOT NULL REFERENCES auto_plan (id),
    book     int NOT NULL,
    wallet   bigint NOT NULL,
    step     text NOT NULL CHECK (step IN ('agreed', 'changed', 'saved', 'not_saved', 'fell', 'rose', 'asked', 'paid', 'failed', 'held', 'ended', 'forgotten')),
    reason   text NOT NULL DEFAULT '',
    fall     int NOT NULL DEFAULT 0,
    evidence jsonb NOT NULL DEFAULT '{}',
    person   bigint,
    at_us    bigint NOT NULL
);
CREATE INDEX auto_step_plan ON auto_step (plan, id);
CREATE INDEX auto_step_wallet ON auto_step (wallet, id);
-- A payment ends once, and a fall is held back once for each reason.
CREATE UNIQUE INDEX auto_step_end ON auto_step (plan, (evidence ->> 'intent')) WHERE step IN ('paid', 'failed');
CREATE UNIQUE INDEX auto_step_held ON auto_step (plan, fall, reason) WHERE step = 'held';

-- What was agreed stays what it was, and what has ended has ended.
CREATE FUNCTION auto_plan_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.book, NEW.wallet, NEW.account, NEW.author, NEW.our_ref, NEW.consent, NEW.made_us)
        IS DISTINCT FROM (OLD.book, OLD.wallet, OLD.account, OLD.author, OLD.our_ref, OLD.consent, OLD.made_us)
        OR (OLD.state = 'ended' AND NEW.state <> 'ended') OR (OLD.state = 'active' AND NEW.state = 'signing') OR NEW.fall < OLD.fall THEN
        RAISE EXCEPTION 'what was agreed stays what it was' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.state = 'active' AND OLD.state = 'signing' AND current_user = 'fairwatt_web' THEN
        RAISE EXCEPTION 'the provider says that an agreement is signed, not a page' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER auto_plan_moves BEFORE UPDATE ON auto_plan FOR EACH ROW EXECUTE FUNCTION auto_plan_moves();
CREATE TRIGGER auto_plan_kept BEFORE DELETE ON auto_plan FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE auto_plan ENABLE ALWAYS TRIGGER auto_plan_moves, ENABLE ALWAYS TRIGGER auto_plan_kept;
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['auto_terms', 'auto_try', 'auto_step'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['auto_plan', 'auto_terms', 'auto_try', 'auto_step'] LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- The collector hears at once that somebody means to agree, or that something is to be forgotten.
CREATE FUNCTION auto_calls_the_collector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('collect', '');
    RETURN NULL;
END $$;
CREATE TRIGGER auto_calls_the_collector AFTER INSERT OR UPDATE OF state ON auto_plan FOR EACH ROW
    WHEN (NEW.ask_us IS NOT NULL) EXECUTE FUNCTION auto_calls_the_collector();
ALTER TABLE auto_plan ENABLE ALWAYS TRIGGER auto_calls_the_collector;
