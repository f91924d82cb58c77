-- What meters and gateways are to be like, besides supply: who wished it, for which, and what became of it.

-- A wish of a person for one meter or for many. Written once; what follows is in the steps and the orders.
CREATE TABLE push (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('supply', 'limit_power', 'set_clock', 'show_prices', 'trust_issuer', 'configure')),
    wish       jsonb NOT NULL,
    words      text NOT NULL CHECK (length(words) BETWEEN 1 AND 400),
    canary_pm  int NOT NULL CHECK (canary_pm BETWEEN 0 AND 1000),
    author     bigint NOT NULL,
    created_us bigint NOT NULL
);
CREATE TABLE push_target (
    push    bigint NOT NULL REFERENCES push (id),
    book    int NOT NULL,
    place   int NOT NULL,
    gateway bigint NOT NULL,
    meter   bigint NOT NULL,
    PRIMARY KEY (push, gateway, meter)
);
-- Paused, resumed, stopped, approved by a person; held or done by the poster's own process (no author).
CREATE TABLE push_step (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    push   bigint NOT NULL REFERENCES push (id),
    book   int NOT NULL,
    step   text NOT NULL CHECK (step IN ('pause', 'resume', 'stop', 'approve', 'ask', 'hold', 'done')),
    author bigint,
    words  text NOT NULL DEFAULT '',
    at_us  bigint NOT NULL
);
CREATE INDEX push_step_of ON push_step (push, id);

-- One signed command of a slot and its life; supply has the outbox.
CREATE TABLE standing_order (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book        int NOT NULL,
    gateway     bigint NOT NULL,
    meter       bigint NOT NULL,
    kind        smallint NOT NULL,
    seq         bigint NOT NULL,
    push        bigint NOT NULL REFERENCES push (id),
    state       text NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'accepted', 'proven', 'expired', 'superseded', 'failed')),
    reason      text NOT NULL DEFAULT '',
    payload     bytea NOT NULL,
    receipt     bytea,
    reported    jsonb,
    created_us  bigint NOT NULL,
    expires_us  bigint NOT NULL,
    moved_us    bigint,
    after_event bigint NOT NULL DEFAULT 0,
    UNIQUE (gateway, meter, kind, seq)
);
CREATE INDEX standing_order_open ON standing_order (book) WHERE state IN ('queued', 'accepted');
CREATE INDEX standing_order_push ON standing_order (push);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['push', 'push_target', 'push_step'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- A person may only speak as staff of the book's organisation; who lets many homes go dark is an administrator, and
-- not the one who asked for it.
CREATE FUNCTION a_push_has_an_author() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE person record;
BEGIN
    IF TG_TABLE_NAME = 'push_step' THEN
        IF (NEW.author IS NULL) <> (NEW.step IN ('ask', 'hold', 'done'))
           OR (NEW.author IS NULL AND current_user <> 'fairwatt_poster') THEN
            RAISE EXCEPTION 'this step is not this login''s to take' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF NEW.author IS NULL THEN
            RETURN NEW;
        END IF;
    END IF;
    SELECT u.role, u.is_active, u.organisation_id = b.organisation_id AS ours INTO person
      FROM store_user u, store_book b WHERE u.id = NEW.author AND b.id = NEW.book;
    IF NOT coalesce(person.ours AND person.is_active, false) OR person.role NOT IN ('operator', 'admin') THEN
        RAISE EXCEPTION 'only staff of the organisation orders meters' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_TABLE_NAME = 'push_step' THEN
        IF NEW.step = 'approve'
           AND (person.role <> 'admin' OR NEW.author = (SELECT p.author FROM push p WHERE p.id = NEW.push)) THEN
            RAISE EXCEPTION 'it is approved by an administrator who did not ask for it' USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_push_has_an_author BEFORE INSERT ON push FOR EACH ROW EXECUTE FUNCTION a_push_has_an_author();
CREATE TRIGGER a_push_has_an_author BEFORE INSERT ON push_step FOR EACH ROW EXECUTE FUNCTION a_push_has_an_author();
ALTER TABLE push ENABLE ALWAYS TRIGGER a_push_has_an_author;
ALTER TABLE push_step ENABLE ALWAYS TRIGGER a_push_has_an_author;
