-- What homes are held to: credit documents, protected people, weather, supply kept on, and who agreed. Append-only.
CREATE TABLE credit_rule (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    site       bigint,
    wallet     bigint,
    kind       text NOT NULL CHECK (kind IN ('terms', 'protection', 'weather', 'force_on', 'debt', 'debt_pause')),
    basis      text NOT NULL DEFAULT 'house' CHECK (basis IN ('house', 'law')),
    from_us    bigint NOT NULL,
    until_us   bigint,
    body       text NOT NULL DEFAULT '' CHECK (length(body) <= 20000),
    details    jsonb NOT NULL DEFAULT '{}',
    words      text NOT NULL CHECK (length(words) BETWEEN 1 AND 400),
    source     text NOT NULL DEFAULT '' CHECK (length(source) <= 400),
    loosens    text[] NOT NULL DEFAULT '{}',
    author     bigint NOT NULL,
    by_role    text NOT NULL DEFAULT current_user,
    created_us bigint NOT NULL,
    CONSTRAINT a_rule_has_one_place CHECK (site IS NULL OR wallet IS NULL),
    CONSTRAINT a_law_names_its_source CHECK (basis = 'house' OR source <> ''),
    CONSTRAINT a_rule_ends_after_it_begins CHECK (until_us IS NULL OR until_us > from_us),
    CONSTRAINT what_is_for_one_home_names_it CHECK (wallet IS NOT NULL OR kind IN ('terms', 'weather')),
    CONSTRAINT what_shelters_ends CHECK (until_us IS NOT NULL OR kind IN ('terms', 'debt'))
);
COMMENT ON COLUMN credit_rule.loosens IS 'what protects residents less than before: in force only when a second person agreed';
COMMENT ON COLUMN credit_rule.source IS 'the law, the evidence, or the forecast it rests on';
CREATE INDEX credit_rule_book ON credit_rule (book, id);
CREATE INDEX credit_rule_wallet ON credit_rule (wallet, id) WHERE wallet IS NOT NULL;
CREATE TABLE credit_step (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule    bigint NOT NULL REFERENCES credit_rule (id),
    book    int NOT NULL,
    wallet  bigint,
    step    text NOT NULL CHECK (step IN ('approve', 'refuse', 'ask_end', 'end')),
    author  bigint NOT NULL,
    words   text NOT NULL DEFAULT '' CHECK (length(words) <= 400),
    by_role text NOT NULL DEFAULT current_user,
    at_us   bigint NOT NULL
);
CREATE INDEX credit_step_rule ON credit_step (rule, id);

-- Two people, also for the database: nobody agrees to his own rule, nobody alone ends what shelters a home.
CREATE FUNCTION credit_step_of_another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE rule credit_rule;
BEGIN
    SELECT * INTO rule FROM credit_rule WHERE id = NEW.rule;
    IF rule.id IS NULL OR rule.book <> NEW.book OR rule.wallet IS DISTINCT FROM NEW.wallet THEN
        RAISE EXCEPTION 'there is no such rule in this book' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.step = 'approve' AND NEW.author = rule.author THEN
        RAISE EXCEPTION 'nobody approves his own rule' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.step = 'end' AND rule.kind IN ('terms', 'protection', 'weather', 'force_on') AND NOT EXISTS (
        SELECT 1 FROM credit_step s WHERE s.rule = rule.id AND s.step = 'ask_end' AND s.author <> NEW.author) THEN
        RAISE EXCEPTION 'nobody ends alone what shelters a home' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT ON credit_step FOR EACH ROW EXECUTE FUNCTION credit_step_of_another();
ALTER TABLE credit_step ENABLE ALWAYS TRIGGER two_people;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['credit_rule', 'credit_step'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;
