-- What people must be told, and how that went. A notice is written in the transaction of the event that raises it; the
-- notifier makes messages of it, hands them to channels, and calls on staff where nobody was reached.

CREATE TABLE notice (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    wallet     bigint,
    person     bigint,
    step       text NOT NULL,
    key        text NOT NULL UNIQUE,
    event      bigint,
    about      jsonb NOT NULL DEFAULT '{}',
    at_us      bigint NOT NULL,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'told', 'over')),
    wave       smallint NOT NULL DEFAULT 0,
    next_us    bigint NOT NULL DEFAULT 0,
    reached_us bigint
);
COMMENT ON COLUMN notice.next_us IS 'when it is looked at again: to be routed, to go one way further, or to call staff';
CREATE INDEX notice_open ON notice (next_us) WHERE state <> 'over';
CREATE INDEX notice_wallet ON notice (wallet, id);
CREATE INDEX notice_book ON notice (book, id);

CREATE TABLE message (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notice       bigint NOT NULL REFERENCES notice (id),
    book         int NOT NULL,
    wallet       bigint,
    person       bigint,
    channel      text NOT NULL,
    contact      bigint,
    address      text NOT NULL,
    language     text NOT NULL,
    step         text NOT NULL,
    subject      text NOT NULL DEFAULT '',
    body         text NOT NULL,
    params       jsonb NOT NULL DEFAULT '{}',
    segments     smallint NOT NULL DEFAULT 0,
    key          text NOT NULL UNIQUE,
    ref          text NOT NULL UNIQUE DEFAULT replace(gen_random_uuid()::text, '-', ''),
    code         text NOT NULL UNIQUE DEFAULT right(replace(gen_random_uuid()::text, '-', ''), 16),
    digest       boolean NOT NULL DEFAULT false,
    made_us      bigint NOT NULL,
    due_us       bigint NOT NULL,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'delivered', 'read', 'failed', 'suppressed')),
    reason       text NOT NULL DEFAULT '',
    tries        smallint NOT NULL DEFAULT 0,
    taken_us     bigint,
    account      text NOT NULL DEFAULT '',
    provider_ref text NOT NULL DEFAULT '',
    moved_us     bigint NOT NULL
);
COMMENT ON COLUMN message.ref IS 'our number for it, given to every provider that takes one; code: what the address in the message ends with';
COMMENT ON COLUMN message.taken_us IS 'since when it is in hand: committed before anything goes out, so that a kill between sending and noting is seen';
CREATE INDEX message_due ON message (due_us) WHERE state = 'queued';
CREATE INDEX message_notice ON message (notice);
CREATE INDEX message_wallet ON message (wallet, id);
CREATE INDEX message_book ON message (book, id);
CREATE INDEX message_person ON message (person, id);
CREATE INDEX message_provider_ref ON message (provider_ref) WHERE provider_ref <> '';

-- What was said stays what it was; the state moves by one table, the same as core.notices.model.NEXT.
CREATE FUNCTION message_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.notice, NEW.book, NEW.channel, NEW.address, NEW.step, NEW.key, NEW.ref, NEW.code, NEW.made_us)
        IS DISTINCT FROM (OLD.notice, OLD.book, OLD.channel, OLD.address, OLD.step, OLD.key, OLD.ref, OLD.code, OLD.made_us)
        OR (NEW.body <> OLD.body AND OLD.state <> 'queued' AND NEW.body <> '') THEN
        RAISE EXCEPTION 'a message stays what it was' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state) = ANY (ARRAY['queued>sent', 'queued>delivered', 'queued>read',
        'queued>failed', 'queued>suppressed', 'sent>delivered', 'sent>read', 'sent>failed', 'delivered>read', 'failed>delivered', 'failed>read']) THEN
        RAISE EXCEPTION 'no message goes from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER message_moves BEFORE UPDATE ON message FOR EACH ROW EXECUTE FUNCTION message_moves();
CREATE TRIGGER message_kept BEFORE DELETE ON message FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_kept BEFORE DELETE ON notice FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE message ENABLE ALWAYS TRIGGER message_moves, ENABLE ALWAYS TRIGGER message_kept;
ALTER TABLE notice ENABLE ALWAYS TRIGGER notice_kept;

-- Every attempt and every word heard of a message, in order.
CREATE TABLE message_step (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message bigint NOT NULL REFERENCES message (id),
    book    int NOT NULL,
    wallet  bigint,
    step    text NOT NULL CHECK (step IN ('taken', 'found', 'queued', 'sent', 'delivered', 'read', 'failed', 'retry', 'suppressed')),
    code    text NOT NULL DEFAULT '',
    detail  text NOT NULL DEFAULT '' CHECK (length(detail) <= 300),
    at_us   bigint NOT NULL
);
CREATE INDEX message_step_message ON message_step (message, id);

-- Nobody at home could be reached: a person of the staff has to. Answered by an event desk.escalation_answered.
CREATE TABLE escalation (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book    int NOT NULL,
    wallet  bigint NOT NULL,
    notice  bigint,
    event   bigint,
    because text NOT NULL CHECK (because IN ('no_contact', 'no_receipt', 'cut_unreached')),
    told    jsonb NOT NULL DEFAULT '[]',
    at_us   bigint NOT NULL
);
COMMENT ON COLUMN escalation.told IS 'user names of the staff on whose call list it stands since that instant';
CREATE INDEX escalation_wallet ON escalation (wallet, id);
CREATE INDEX escalation_book ON escalation (book, id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['message_step', 'escalation'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['notice', 'message', 'message_step', 'escalation'] LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- Since when a wallet's credit has been falling, as of an instant: warnings before that are of another story.
CREATE FUNCTION descent_of(home bigint, until_us bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(
        (SELECT at_us FROM event WHERE wallet = home AND at_us <= until_us
            AND kind IN ('credit.recovered', 'credit.corrected', 'supply.restore', 'emergency.lent') ORDER BY id DESC LIMIT 1),
        (SELECT max(at_us) FROM receipt WHERE wallet = home AND at_us <= until_us), 0) $$;
-- Whether somebody at home was told in it, provably, by then.
CREATE FUNCTION was_reached(home bigint, until_us bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM notice WHERE wallet = home AND reached_us <= until_us AND at_us >= descent_of(home, until_us)
                      AND step IN ('days', 'day', 'low', 'critical', 'hours', 'empty')) $$;

CREATE INDEX event_switched ON event (wallet, id) WHERE kind IN ('supply.cut', 'supply.restore');
CREATE INDEX event_descent ON event (wallet, id)
    WHERE kind IN ('credit.recovered', 'credit.corrected', 'supply.restore', 'emergency.lent');

-- Intents of the events of one statement, in its transaction. A power order that is proven tells of a return only once.
-- And no cut without a warning that arrived or a row that calls on staff: it is written with the cut itself, at the latest; what
-- a gateway cut while it was alone, with its word of it.
-- What a let that ends was told (was_told_of_end) is of lets.sql.
CREATE FUNCTION tell_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM fresh WHERE kind IN ('warning.low', 'warning.critical', 'warning.empty', 'warning.contract', 'supply.cut', 'emergency.lent',
        'gateway.alarm_raised', 'gateway.safety_cut', 'gateway.local_trip') OR (kind = 'supply.proven' AND reason = 'closed')) THEN
        RETURN NULL;
    END IF;
    INSERT INTO notice (book, wallet, step, key, event, about, at_us, next_us)
        SELECT f.book, f.wallet,
               CASE f.kind WHEN 'warning.low' THEN CASE f.rule WHEN 'credit.forecast' THEN 'days' ELSE 'low' END
                   WHEN 'warning.critical' THEN 'critical' WHEN 'warning.empty' THEN 'empty' WHEN 'warning.contract' THEN 'contract'
                   WHEN 'supply.cut' THEN CASE f.reason WHEN 'contract_ended' THEN 'ended' ELSE 'cut' END
                   WHEN 'gateway.local_trip' THEN 'cut' WHEN 'emergency.lent' THEN 'emergency' WHEN 'supply.proven' THEN 'restored'
                   ELSE 'alarm' END,
               'event:' || f.id, f.id,
               jsonb_strip_nulls(f.evidence || jsonb_build_object('reason', f.reason, 'meter', f.meter, 'gateway', f.gateway)), f.at_us, f.at_us
          FROM fresh f
         WHERE (f.kind IN ('warning.low', 'warning.critical', 'warning.empty', 'warning.contract', 'emergency.lent') AND f.wallet IS NOT NULL)
            OR f.kind IN ('gateway.alarm_raised', 'gateway.safety_cut')
            OR (f.kind IN ('supply.cut', 'gateway.local_trip') AND f.id = (
                SELECT min(g.id) FROM fresh g WHERE g.kind IN ('supply.cut', 'gateway.local_trip') AND g.wallet = f.wallet))
            OR (f.kind = 'supply.proven' AND f.reason = 'closed'
                AND f.id = (SELECT min(g.id) FROM fresh g WHERE g.kind = 'supply.proven' AND g.reason = 'closed' AND g.wallet = f.wallet)
                AND (SELECT e.kind = 'supply.restore' AND NOT EXISTS (
                            SELECT 1 FROM notice n WHERE n.wallet = f.wallet AND n.step = 'restored' AND n.event > e.id)
                       FROM event e WHERE e.wallet = f.wallet AND e.id < f.id AND e.kind IN ('supply.cut', 'supply.restore')
                      ORDER BY e.id DESC LIMIT 1));
    INSERT INTO escalation (book, wallet, event, because, told, at_us)
        SELECT f.book, f.wallet, f.id, 'cut_unreached', coalesce((
                   SELECT jsonb_agg(u.username ORDER BY u.id) FROM store_user u JOIN store_book b ON b.organisation_id = u.organisation_id
                    WHERE b.id = f.book AND u.is_active AND u.role IN ('operator', 'admin')), '[]'), f.at_us
          FROM fresh f
         WHERE f.kind IN ('supply.cut', 'gateway.local_trip') AND f.id = (
               SELECT min(g.id) FROM fresh g WHERE g.kind IN ('supply.cut', 'gateway.local_trip') AND g.wallet = f.wallet)
           AND NOT was_reached(f.wallet, f.at_us)
           AND NOT (f.reason = 'contract_ended' AND was_told_of_end(f.wallet, f.at_us))
           AND NOT EXISTS (SELECT 1 FROM escalation x WHERE x.wallet = f.wallet AND x.at_us BETWEEN descent_of(f.wallet, f.at_us) AND f.at_us);
    PERFORM pg_notify('notices', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_of_events AFTER INSERT ON event REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_events();
ALTER TABLE event ENABLE ALWAYS TRIGGER tell_of_events;
