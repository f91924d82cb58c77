-- E-fapiao: the state's platform issues the tax invoice of one of our documents. What was asked and answered is append-only; until it
-- is issued nothing of ours looks like one.
CREATE TABLE efapiao_platform (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    origin       text NOT NULL CHECK (origin ~ '^https?://[^/ ]+$'),
    taxpayer     text NOT NULL CHECK (length(taxpayer) BETWEEN 15 AND 20),
    platform_key bytea NOT NULL CHECK (length(platform_key) = 32),
    author       text NOT NULL,
    at_us        bigint NOT NULL
);
CREATE INDEX efapiao_platform_book ON efapiao_platform (book, id);
CREATE TABLE efapiao (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book     int NOT NULL,
    wallet   bigint NOT NULL,
    invoice  bigint NOT NULL REFERENCES invoice (id),
    sort     text NOT NULL CHECK (sort IN ('blue', 'red')),
    attempt  smallint NOT NULL CHECK (attempt BETWEEN 1 AND 99),
    of       bigint REFERENCES efapiao (id),
    platform bigint NOT NULL REFERENCES efapiao_platform (id),
    serial   text NOT NULL UNIQUE CHECK (length(serial) BETWEEN 4 AND 60),
    body     jsonb NOT NULL,
    author   bigint NOT NULL,
    asked_us bigint NOT NULL,
    UNIQUE (invoice, sort, attempt),
    CONSTRAINT red_names_blue CHECK ((of IS NOT NULL) = (sort = 'red'))
);
CREATE INDEX efapiao_wallet ON efapiao (wallet, id);
COMMENT ON COLUMN efapiao.serial IS 'under which the platform knows the request: asked ten times, it is one';
CREATE TABLE efapiao_step (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    efapiao bigint NOT NULL REFERENCES efapiao (id),
    book    int NOT NULL,
    wallet  bigint NOT NULL,
    state   text NOT NULL CHECK (state IN ('pending', 'issued', 'refused')),
    number  text NOT NULL DEFAULT '',
    links   jsonb NOT NULL DEFAULT '{}',
    code    text NOT NULL DEFAULT '' CHECK (length(code) <= 60),
    words   text NOT NULL DEFAULT '' CHECK (length(words) <= 300),
    at_us   bigint NOT NULL,
    UNIQUE (efapiao, state),
    CONSTRAINT what_is_issued_has_twenty_digits CHECK ((state = 'issued') = (number <> '') AND (number = '' OR number ~ '^[0-9]{20}$'))
);
CREATE TABLE efapiao_ask (
    efapiao bigint PRIMARY KEY REFERENCES efapiao (id),
    book    int NOT NULL,
    wallet  bigint NOT NULL,
    ask_us  bigint,
    asks    int NOT NULL DEFAULT 0,
    trouble text NOT NULL DEFAULT ''
);
CREATE INDEX efapiao_ask_due ON efapiao_ask (ask_us) WHERE ask_us IS NOT NULL;
COMMENT ON COLUMN efapiao_ask.ask_us IS 'when the collector asks next; null: nothing more is asked';

CREATE FUNCTION efapiao_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('efapiao', NEW.efapiao));
    IF EXISTS (SELECT 1 FROM efapiao_step s WHERE s.efapiao = NEW.efapiao AND s.state IN ('issued', 'refused')) THEN
        RAISE EXCEPTION 'this request is answered' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves_on BEFORE INSERT ON efapiao_step FOR EACH ROW EXECUTE FUNCTION efapiao_moves_on();
ALTER TABLE efapiao_step ENABLE ALWAYS TRIGGER moves_on;
CREATE FUNCTION efapiao_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('collect', 'efapiao');
    RETURN NULL;
END $$;
CREATE TRIGGER calls AFTER INSERT ON efapiao_ask FOR EACH ROW EXECUTE FUNCTION efapiao_calls();
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['efapiao_platform', 'efapiao', 'efapiao_step'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;
