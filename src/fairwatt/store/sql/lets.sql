-- Booths, seasonal merchants, short lets: who has a unit from when to when, by which package. Append-only.
CREATE TABLE short_let (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book     int NOT NULL,
    unit     bigint NOT NULL,
    begin_us bigint NOT NULL,
    end_us   bigint NOT NULL,
    merchant text NOT NULL CHECK (length(merchant) BETWEEN 1 AND 80),
    users    bigint[] NOT NULL DEFAULT '{}',
    policy   bigint,
    plan     bigint,
    settle   text NOT NULL CHECK (settle IN ('window', 'source')),
    trading  int[] NOT NULL DEFAULT '{}',
    words    text NOT NULL DEFAULT '' CHECK (length(words) <= 300),
    ticket   text NOT NULL,
    together text NOT NULL DEFAULT '',
    author   bigint NOT NULL,
    by_role  text NOT NULL DEFAULT current_user,
    made_us  bigint NOT NULL,
    UNIQUE (book, ticket),
    CONSTRAINT a_let_ends_after_it_begins CHECK (end_us > begin_us)
);
COMMENT ON COLUMN short_let.plan IS 'the tariff with its package; null: that of the meter';
COMMENT ON COLUMN short_let.trading IS 'minutes of the local day in which nobody is cut: start, end, start, end ...';
CREATE INDEX short_let_unit ON short_let (unit, begin_us);
CREATE INDEX short_let_book ON short_let (book, end_us);

-- What people said of it since: another end, or that it does not come about. The newest end counts.
CREATE TABLE short_let_word (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    let      bigint NOT NULL REFERENCES short_let (id),
    book     int NOT NULL,
    word     text NOT NULL CHECK (word IN ('end', 'cancel')),
    until_us bigint,
    words    text NOT NULL DEFAULT '' CHECK (length(words) <= 300),
    author   bigint NOT NULL,
    by_role  text NOT NULL DEFAULT current_user,
    at_us    bigint NOT NULL,
    CHECK ((word = 'end') = (until_us IS NOT NULL))
);
CREATE INDEX short_let_word_let ON short_let_word (let, id);

-- What the book's poster did: the account that began, and that its people were told of the end.
CREATE TABLE short_let_step (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    let      bigint NOT NULL REFERENCES short_let (id),
    book     int NOT NULL,
    step     text NOT NULL CHECK (step IN ('begun', 'warned')),
    wallet   bigint NOT NULL,
    plans    jsonb NOT NULL DEFAULT '{}',
    until_us bigint NOT NULL DEFAULT 0,
    fact     bigint NOT NULL,
    at_us    bigint NOT NULL,
    batch    bigint NOT NULL
);
COMMENT ON COLUMN short_let_step.plans IS 'begun: the tariff each meter had before, to be put back when the let is over';
CREATE UNIQUE INDEX short_let_begins_once ON short_let_step (let) WHERE step = 'begun';
CREATE INDEX short_let_step_wallet ON short_let_step (wallet);
CREATE INDEX short_let_step_let ON short_let_step (let, id);

-- Circuits that are never switched off, whatever is owed. The newest mark of a meter counts.
CREATE TABLE circuit_mark (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book    int NOT NULL,
    gateway bigint NOT NULL,
    meter   bigint NOT NULL,
    circuit text NOT NULL CHECK (circuit IN ('cold_store', 'fire', 'other', 'ordinary')),
    words   text NOT NULL CHECK (length(words) BETWEEN 1 AND 300),
    author  bigint NOT NULL,
    by_role text NOT NULL DEFAULT current_user,
    made_us bigint NOT NULL
);
CREATE INDEX circuit_mark_meter ON circuit_mark (book, gateway, meter, id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['short_let', 'short_let_word', 'short_let_step', 'circuit_mark'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- A let that ends is told of and cut with words of its own; nobody is cut for it without a warning that arrived or a row that calls on staff.
CREATE INDEX notice_contract ON notice (wallet, id) WHERE step = 'contract';
CREATE FUNCTION was_told_of_end(home bigint, until_us bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM notice WHERE wallet = home AND step = 'contract' AND reached_us <= until_us) $$;
