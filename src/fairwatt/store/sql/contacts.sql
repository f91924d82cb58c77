-- How people are reached, what they chose, what is said to them, and who may ask for how many messages.

CREATE TABLE contact (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person   bigint NOT NULL,
    channel  text NOT NULL CHECK (channel IN ('email', 'sms', 'push', 'wechat')),
    address  text NOT NULL CHECK (length(address) BETWEEN 3 AND 800),
    details  jsonb NOT NULL DEFAULT '{}',
    proof    text NOT NULL DEFAULT '',
    added_us bigint NOT NULL,
    by_role  text NOT NULL DEFAULT current_user
);
COMMENT ON COLUMN contact.proof IS 'digest of the code that shows that who asked holds the address; empty where nothing has to be shown';
CREATE INDEX contact_person ON contact (person, id);
CREATE INDEX contact_address ON contact (channel, address);

CREATE TABLE contact_step (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contact bigint NOT NULL REFERENCES contact (id),
    person  bigint NOT NULL,
    step    text NOT NULL CHECK (step IN ('proven', 'ended', 'gone', 'guessed')),
    at_us   bigint NOT NULL
);
COMMENT ON COLUMN contact_step.step IS 'proven: the holder read our code; ended: by the person; gone: the provider says so; guessed: a wrong code';
CREATE INDEX contact_step_contact ON contact_step (contact, id);

CREATE TABLE notice_choice (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person bigint NOT NULL,
    body   jsonb NOT NULL,
    at_us  bigint NOT NULL
);
CREATE INDEX notice_choice_person ON notice_choice (person, id);

-- An organisation's own wording; the newest counts, and the house's where there is none.
CREATE TABLE notice_text (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation bigint NOT NULL,
    step         text NOT NULL,
    language     text NOT NULL,
    subject      text NOT NULL CHECK (length(subject) <= 200),
    body         text NOT NULL CHECK (length(body) <= 2000),
    short        text NOT NULL CHECK (length(short) <= 500),
    author       bigint NOT NULL,
    at_us        bigint NOT NULL
);
CREATE INDEX notice_text_newest ON notice_text (organisation, step, language, id);

-- What the notifier says of its lines: no secret is here. Those that fail rest for a while.
CREATE TABLE notify_channel (
    account          text PRIMARY KEY,
    organisation     bigint NOT NULL,
    channel          text NOT NULL,
    kind             text NOT NULL,
    public           jsonb NOT NULL DEFAULT '{}',
    token_sha256     text NOT NULL DEFAULT '',
    failures         int NOT NULL DEFAULT 0,
    resting_until_us bigint NOT NULL DEFAULT 0,
    trouble          text NOT NULL DEFAULT '',
    seen_us          bigint NOT NULL
);
CREATE UNIQUE INDEX notify_channel_token ON notify_channel (token_sha256) WHERE token_sha256 <> '';

-- What was heard at the door of providers and of readers: bytes as they came, judged by who holds the keys.
CREATE TABLE notify_heard (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account  text NOT NULL,
    what     text NOT NULL CHECK (what IN ('provider', 'delivered', 'read')),
    url      text NOT NULL DEFAULT '',
    headers  jsonb NOT NULL DEFAULT '{}',
    body     bytea NOT NULL CHECK (length(body) <= 65536),
    heard_us bigint NOT NULL,
    state    text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'refused')),
    code     text NOT NULL DEFAULT ''
);
CREATE INDEX notify_heard_waiting ON notify_heard (id) WHERE state = 'waiting';
CREATE FUNCTION call_notifier() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('notices', ''); RETURN NULL; END $$;
CREATE TRIGGER call_notifier AFTER INSERT ON notify_heard FOR EACH STATEMENT EXECUTE FUNCTION call_notifier();
CREATE TRIGGER call_notifier AFTER INSERT ON notice FOR EACH STATEMENT EXECUTE FUNCTION call_notifier();
CREATE TRIGGER call_notifier AFTER INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION call_notifier();

-- One row a message that somebody asked for; counted within windows, forgotten after a day.
CREATE TABLE notify_pace (
    key   text NOT NULL,
    at_us bigint NOT NULL
);
CREATE INDEX notify_pace_key ON notify_pace (key, at_us);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['contact', 'contact_step', 'notice_choice', 'notice_text'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;
