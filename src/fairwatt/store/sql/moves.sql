-- Homes change hands and meters are exchanged: where one installation ended and the next began. Append-only.

-- One row a register and change: what the old installation was left at, as it was first posted. The register at the
-- change may be an estimate; what it was later found to be stands in facts `reading_edit`, and in `changeover_known`.
CREATE TABLE changeover (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book             int NOT NULL,
    fact             bigint NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('out', 'in', 'change', 'exchange', 'transfer')),
    unit             bigint NOT NULL,
    at_us            bigint NOT NULL,
    old_installation bigint NOT NULL UNIQUE,
    new_installation bigint UNIQUE,
    old_wallet       bigint NOT NULL,
    new_wallet       bigint,
    register_wh      bigint NOT NULL,
    counter_wh       bigint NOT NULL,
    window_us        bigint NOT NULL,
    carry_nano       int NOT NULL,
    carry_tax        int NOT NULL,
    basis            text NOT NULL CHECK (basis IN ('read', 'stated', 'between', 'estimated')),
    author           bigint NOT NULL,
    reason           text NOT NULL DEFAULT '',
    made_us          bigint NOT NULL,
    batch            bigint NOT NULL,
    CHECK (old_installation <> new_installation)
);
CREATE INDEX changeover_fact ON changeover (fact);
CREATE INDEX changeover_old_wallet ON changeover (old_wallet);
CREATE INDEX changeover_new_wallet ON changeover (new_wallet);
COMMENT ON COLUMN changeover.basis IS 'read: by the meter at that very instant; stated: a person read it; between: in proportion to time between two readings; estimated: the meter has not been read since';
COMMENT ON COLUMN changeover.register_wh IS 'register, counter, window and carries: the state of the old register at the change, as first posted';

-- The register of a change is known: by the meter itself, or by a person's word. Nothing is provisional any more.
CREATE TABLE changeover_known (
    changeover  bigint PRIMARY KEY,
    book        int NOT NULL,
    basis       text NOT NULL CHECK (basis IN ('read', 'stated', 'between', 'accepted')),
    register_wh bigint NOT NULL,
    known_us    bigint NOT NULL,
    batch       bigint NOT NULL
);

-- What is to become of the money of who left. One row a move; the poster settles the account when every register is known.
CREATE TABLE account_end (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    fact       bigint NOT NULL UNIQUE,
    wallet     bigint NOT NULL UNIQUE,
    at_us      bigint NOT NULL,
    settle     text NOT NULL CHECK (settle IN ('window', 'source', 'transfer')),
    to_wallet  bigint,
    author     bigint NOT NULL,
    made_us    bigint NOT NULL,
    batch      bigint NOT NULL,
    CHECK ((settle = 'transfer') = (to_wallet IS NOT NULL))
);

-- Money that is owed to a person who left, until a refund pays it out.
CREATE TABLE refund_wish (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    amount_micro bigint NOT NULL CHECK (amount_micro > 0),
    way          text NOT NULL CHECK (way IN ('window', 'source')),
    fact         bigint NOT NULL UNIQUE,
    made_us      bigint NOT NULL,
    batch        bigint NOT NULL
);
CREATE INDEX refund_wish_wallet ON refund_wish (wallet);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['changeover', 'changeover_known', 'account_end', 'refund_wish'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t || '_append_only', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_append_only');
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t || '_no_truncate', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_no_truncate');
    END LOOP;
END $$;
