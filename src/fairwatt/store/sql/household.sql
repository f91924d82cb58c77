-- Several people share a home: invitations, by a code that is used once and forgotten. Append-only.
CREATE TABLE home_invite (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    wallet     bigint NOT NULL,
    author     bigint NOT NULL,
    digest     bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    name       text NOT NULL DEFAULT '' CHECK (length(name) <= 80),
    made_us    bigint NOT NULL,
    expires_us bigint NOT NULL,
    by_role    text NOT NULL DEFAULT current_user,
    CHECK (expires_us > made_us)
);
COMMENT ON COLUMN home_invite.digest IS 'of the code: who reads this table cannot use it';
CREATE INDEX home_invite_wallet ON home_invite (wallet, id);
CREATE TABLE home_invite_end (
    invite bigint PRIMARY KEY REFERENCES home_invite (id),
    book   int NOT NULL,
    wallet bigint NOT NULL,
    how    text NOT NULL CHECK (how IN ('joined', 'withdrawn')),
    person bigint NOT NULL,
    fact   bigint NOT NULL,
    at_us  bigint NOT NULL,
    batch  bigint NOT NULL
);
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['home_invite', 'home_invite_end'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;
