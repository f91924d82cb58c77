-- The ledger: history that nobody can edit, its fence, what waits, and the caches.
-- Owned by fairwatt_owner (NOLOGIN). Column order keeps rows free of padding.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is append-only: % on % is refused; post a correction instead', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TABLE shard (
    book        int PRIMARY KEY,
    epoch       bigint NOT NULL DEFAULT 0,
    last_batch  bigint NOT NULL DEFAULT 0
);

CREATE TABLE line (
    ts             timestamptz NOT NULL,
    ref            bigint NOT NULL,
    wallet         bigint NOT NULL,
    seq            bigint NOT NULL,
    register_wh    bigint NOT NULL,
    counter_wh     bigint NOT NULL,
    energy_micro   bigint NOT NULL,
    standing_micro bigint NOT NULL,
    tax_micro      bigint NOT NULL,
    amount_micro   bigint NOT NULL,
    balance_micro  bigint NOT NULL,
    batch          bigint NOT NULL,
    energy_wh      int NOT NULL,
    tariff_version int NOT NULL,
    carry_tax      int NOT NULL,
    book           int NOT NULL,
    carry_nano     smallint NOT NULL,
    kind           smallint NOT NULL,
    PRIMARY KEY (ts, ref, kind, book),
    CONSTRAINT charge_is_the_sum_of_its_parts
        CHECK (amount_micro + energy_micro + standing_micro + tax_micro = 0 OR kind NOT IN (1, 3))
) PARTITION BY RANGE (ts);
CREATE TRIGGER line_append_only BEFORE UPDATE OR DELETE ON line FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE line ENABLE ALWAYS TRIGGER line_append_only;

-- Partitions are made ahead, one a month; each refuses TRUNCATE by itself.
CREATE FUNCTION make_line_partitions(from_ts timestamptz, until_ts timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    first_day timestamptz := date_trunc('month', from_ts, 'UTC');
    next_day  timestamptz;
    name      text;
    made      int := 0;
BEGIN
    WHILE first_day < until_ts LOOP
        next_day := date_trunc('month', first_day + interval '32 days', 'UTC');
        name := 'line_' || to_char(first_day AT TIME ZONE 'UTC', 'YYYYMM');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.line FOR VALUES FROM (%L) TO (%L)', name, first_day, next_day);
            EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
            EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_truncate', name);
            EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER line_append_only', name);
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
            made := made + 1;
        END IF;
        first_day := next_day;
    END LOOP;
    RETURN made;
END $$;

-- One row a batch, so that lines need no index by batch: their instants lead to them through the primary key.
CREATE TABLE batch (
    book  int NOT NULL,
    batch bigint NOT NULL,
    at_us bigint NOT NULL,
    lines int NOT NULL,
    spans tstzmultirange NOT NULL,
    PRIMARY KEY (book, batch)
);
COMMENT ON COLUMN batch.at_us IS 'domain time of the batch, microseconds since 1970-01-01 UTC';
COMMENT ON COLUMN batch.spans IS 'where on the time line the lines of this batch lie; every line.ts of it is in here';

CREATE TABLE journal (
    book         int NOT NULL,
    batch        bigint NOT NULL,
    leg          smallint NOT NULL,
    account      text NOT NULL,
    currency     text NOT NULL,
    amount_micro bigint NOT NULL,
    at_us        bigint NOT NULL,
    PRIMARY KEY (book, batch, leg)
);
CREATE INDEX journal_time ON journal (book, at_us);

CREATE FUNCTION journal_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT j.book, j.batch, j.currency, sum(j.amount_micro) AS total INTO bad
      FROM journal j JOIN (SELECT DISTINCT book, batch FROM fresh) f ON f.book = j.book AND f.batch = j.batch
     GROUP BY 1, 2, 3 HAVING sum(j.amount_micro) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal batch % of book % does not sum to zero: % % micro-units left',
            bad.batch, bad.book, bad.total, bad.currency USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER journal_balanced AFTER INSERT ON journal REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION journal_sums_to_zero();
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_balanced;

CREATE TABLE fact (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book        int NOT NULL,
    kind        text NOT NULL,
    natural_key text NOT NULL,
    wallet      bigint,
    payload     jsonb NOT NULL DEFAULT '{}',
    raw         bytea NOT NULL DEFAULT '',
    created_us  bigint NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'posted', 'refused')),
    result      jsonb,
    batch       bigint,
    UNIQUE (book, kind, natural_key)
);
CREATE INDEX fact_waiting ON fact (book, id) WHERE state = 'waiting';
CREATE INDEX fact_wallet ON fact (wallet, id);
CREATE INDEX fact_provider_ref ON fact (book, (result->>'provider_ref')) WHERE kind = 'payment' AND state = 'posted';

-- Only the waiting part of a fact may move; what happened stays as it was written.
CREATE FUNCTION fact_keeps_its_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'waiting' OR (NEW.id, NEW.book, NEW.kind, NEW.natural_key, NEW.payload, NEW.raw, NEW.created_us)
        IS DISTINCT FROM (OLD.id, OLD.book, OLD.kind, OLD.natural_key, OLD.payload, OLD.raw, OLD.created_us)
        OR NEW.wallet IS DISTINCT FROM OLD.wallet THEN
        RAISE EXCEPTION 'a fact is written once and answered once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fact_answered_once BEFORE UPDATE ON fact FOR EACH ROW EXECUTE FUNCTION fact_keeps_its_content();
CREATE TRIGGER fact_kept BEFORE DELETE ON fact FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE FUNCTION fact_calls_the_poster() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('fact', NEW.book::text);
    RETURN NULL;
END $$;
CREATE TRIGGER fact_notify AFTER INSERT ON fact FOR EACH ROW EXECUTE FUNCTION fact_calls_the_poster();
ALTER TABLE fact ENABLE ALWAYS TRIGGER fact_answered_once, ENABLE ALWAYS TRIGGER fact_kept, ENABLE ALWAYS TRIGGER fact_notify;

CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    gateway      bigint NOT NULL,
    meter        bigint NOT NULL,
    wallet       bigint NOT NULL,
    seq          bigint NOT NULL,
    relay        smallint NOT NULL,
    reason       text NOT NULL,
    payload      bytea NOT NULL,
    state        text NOT NULL DEFAULT 'queued'
                 CHECK (state IN ('queued', 'accepted', 'proven', 'expired', 'superseded', 'failed')),
    created_us   bigint NOT NULL,
    expires_us   bigint NOT NULL,
    accepted_us  bigint,
    accepted_seq bigint,
    proven_us    bigint,
    receipt      bytea,
    fact         bigint,
    batch        bigint NOT NULL,
    UNIQUE (gateway, meter, seq)
);
CREATE INDEX outbox_open ON outbox (book, gateway) WHERE state IN ('queued', 'accepted');
CREATE INDEX outbox_wallet ON outbox (wallet, id);
CREATE TRIGGER outbox_kept BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE outbox ENABLE ALWAYS TRIGGER outbox_kept;

CREATE TABLE event (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book     int NOT NULL,
    at_us    bigint NOT NULL,
    kind     text NOT NULL,
    wallet   bigint,
    gateway  bigint,
    meter    bigint,
    reason   text NOT NULL DEFAULT '',
    rule     text NOT NULL DEFAULT '',
    evidence jsonb NOT NULL DEFAULT '{}',
    batch    bigint NOT NULL
);
CREATE INDEX event_wallet ON event (wallet, id);
CREATE INDEX event_book ON event (book, id);

CREATE TABLE quarantine (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book    int NOT NULL,
    gateway bigint,
    meter   bigint,
    at_us   bigint,
    code    text NOT NULL,
    detail  text NOT NULL,
    raw     bytea NOT NULL,
    seen_us bigint NOT NULL,
    batch   bigint NOT NULL
);
CREATE INDEX quarantine_book ON quarantine (book, id);

CREATE TABLE gateway_head (
    gateway  bigint PRIMARY KEY,
    book     int NOT NULL,
    epoch    bigint NOT NULL,
    seq      bigint NOT NULL,
    heard_us bigint NOT NULL
);

-- Caches: droppable, rebuilt from line and event.
CREATE TABLE wallet_head (
    wallet        bigint PRIMARY KEY,
    book          int NOT NULL,
    balance_micro bigint NOT NULL,
    seq           bigint NOT NULL,
    level         smallint NOT NULL DEFAULT 0,
    warned_us     bigint NOT NULL DEFAULT 0,
    cut_by_credit boolean NOT NULL DEFAULT false,
    withheld      text NOT NULL DEFAULT '',
    read_us       bigint NOT NULL DEFAULT 0,
    batch         bigint NOT NULL
) WITH (fillfactor = 60);
CREATE TABLE register_head (
    installation bigint PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    at_us        bigint NOT NULL,
    register_wh  bigint NOT NULL,
    counter_wh   bigint NOT NULL,
    window_us    bigint NOT NULL,
    carry_nano   smallint NOT NULL,
    carry_tax    int NOT NULL,
    relay        smallint NOT NULL DEFAULT 2,
    power_w      int NOT NULL DEFAULT 0,
    voltage_dv   int NOT NULL DEFAULT 0,
    batch        bigint NOT NULL
) WITH (fillfactor = 60);
CREATE TABLE use_day (
    wallet       bigint NOT NULL,
    day_us       bigint NOT NULL,
    book         int NOT NULL,
    energy_wh    bigint NOT NULL,
    cost_micro   bigint NOT NULL,
    slots_wh     int[] NOT NULL,
    slots_micro  bigint[] NOT NULL,
    close_micro  bigint NOT NULL,
    batch        bigint NOT NULL,
    PRIMARY KEY (wallet, day_us)
) WITH (fillfactor = 70);
CREATE INDEX use_day_book ON use_day (book, day_us);

-- Up to which batch the caches are whole. Apart from the fence, so that they are written beside the next batches.
CREATE TABLE cache_mark (
    book  int PRIMARY KEY,
    batch bigint NOT NULL DEFAULT 0
);

-- History refuses change, whoever asks (the owner too: the triggers fire always).
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['batch', 'journal', 'event', 'quarantine'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t || '_append_only', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_append_only');
    END LOOP;
    FOREACH t IN ARRAY ARRAY['line', 'batch', 'journal', 'event', 'quarantine', 'fact', 'outbox'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t || '_no_truncate', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_no_truncate');
    END LOOP;
END $$;
