-- Commissioning: who proved what of a meter and its room, the pictures taken there, and what its alarms are set to.

-- Transformers stay where they are when somebody moves: an installation that names none has those of the one before it.
CREATE FUNCTION transformers_as_before() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before record;
BEGIN
    IF NEW.ct_primary = 0 OR NEW.ct_secondary = 0 THEN
        SELECT ct_primary, ct_secondary, ct_in_register INTO before FROM store_installation
         WHERE meter_id = NEW.meter_id AND unit_id = NEW.unit_id ORDER BY opened_us DESC, id DESC LIMIT 1;
        NEW.ct_primary := coalesce(before.ct_primary, 1);
        NEW.ct_secondary := coalesce(before.ct_secondary, 1);
        NEW.ct_in_register := coalesce(before.ct_in_register, false);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transformers_as_before BEFORE INSERT ON store_installation FOR EACH ROW EXECUTE FUNCTION transformers_as_before();
ALTER TABLE store_installation ENABLE ALWAYS TRIGGER transformers_as_before;
-- ... and for life: what was charged through them is explained by them.
CREATE FUNCTION transformers_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.ct_primary, NEW.ct_secondary, NEW.ct_in_register) IS DISTINCT FROM (OLD.ct_primary, OLD.ct_secondary, OLD.ct_in_register) THEN
        RAISE EXCEPTION 'other transformers are another installation' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transformers_stay BEFORE UPDATE ON store_installation FOR EACH ROW EXECUTE FUNCTION transformers_stay();
ALTER TABLE store_installation ENABLE ALWAYS TRIGGER transformers_stay;

-- A picture, made anew from the one that was sent: pixels only, no place, no camera, no second file inside.
CREATE TABLE meter_photo (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book   int NOT NULL,
    meter  bigint NOT NULL,
    unit   bigint NOT NULL,
    wallet bigint,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    bytes  bytea NOT NULL CHECK (length(bytes) BETWEEN 100 AND 2000000),
    width  int NOT NULL CHECK (width BETWEEN 1 AND 4096),
    height int NOT NULL CHECK (height BETWEEN 1 AND 4096),
    author bigint NOT NULL,
    at_us  bigint NOT NULL,
    UNIQUE (book, meter, unit, sha256)
);
COMMENT ON COLUMN meter_photo.bytes IS 'JPEG, and sha256 is its digest';
COMMENT ON COLUMN meter_photo.wallet IS 'whose home it was then, null before it was opened; its resident may look';

-- One step of a meter's checklist as a person left it. The newest of a step counts; none is ever changed.
CREATE TABLE commission_step (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book   int NOT NULL,
    meter  bigint NOT NULL,
    unit   bigint NOT NULL,
    step   text NOT NULL CHECK (step IN ('scanned', 'mapped', 'ratio', 'pulse', 'opening', 'certificate', 'seal', 'signed')),
    state  text NOT NULL CHECK (state IN ('done', 'failed', 'withdrawn')),
    value  jsonb NOT NULL,
    words  text NOT NULL DEFAULT '' CHECK (length(words) <= 400),
    photo  bigint REFERENCES meter_photo (id),
    author bigint NOT NULL,
    at_us  bigint NOT NULL
);
CREATE INDEX commission_step_of ON commission_step (book, meter, unit, id);

-- What the alarms of a site, a feeder or a meter are to be: only what differs from the wider one. The newest of a scope counts.
CREATE TABLE alarm_setting (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    site       bigint NOT NULL,
    gateway    bigint,
    feeder     text NOT NULL DEFAULT '',
    meter      bigint,
    rules      jsonb NOT NULL,
    words      text NOT NULL CHECK (length(words) BETWEEN 1 AND 400),
    author     bigint NOT NULL,
    created_us bigint NOT NULL,
    CHECK (gateway IS NOT NULL OR (feeder = '' AND meter IS NULL))
);
COMMENT ON COLUMN alarm_setting.gateway IS 'with a feeder: that feeder; with a meter: that meter; null: the whole site';
CREATE INDEX alarm_setting_of ON alarm_setting (book, site, id);

ALTER TABLE push DROP CONSTRAINT push_kind_check;
ALTER TABLE push ADD CONSTRAINT push_kind_check
    CHECK (kind IN ('supply', 'limit_power', 'set_clock', 'show_prices', 'trust_issuer', 'configure', 'watch'));

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['meter_photo', 'commission_step', 'alarm_setting'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- Only staff of the book's organisation, about meters and units of that book; what alarms are set to, an administrator.
CREATE FUNCTION commissioned_by_staff() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE person record;
BEGIN
    SELECT u.role, u.is_active, u.organisation_id = b.organisation_id AS ours INTO person
      FROM store_user u, store_book b WHERE u.id = NEW.author AND b.id = NEW.book;
    IF NOT coalesce(person.ours AND person.is_active, false) OR person.role NOT IN ('operator', 'admin')
       OR (TG_TABLE_NAME = 'alarm_setting' AND person.role <> 'admin') THEN
        RAISE EXCEPTION 'only staff of the organisation commissions its meters' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.meter IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM store_meter m JOIN store_gateway g ON g.id = m.gateway_id JOIN store_site s ON s.id = g.site_id
         WHERE m.id = NEW.meter AND s.book_id = NEW.book) THEN
        RAISE EXCEPTION 'the meter is of another book' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_TABLE_NAME <> 'alarm_setting' THEN
        IF NOT EXISTS (SELECT 1 FROM store_unit u JOIN store_site s ON s.id = u.site_id
                        WHERE u.id = NEW.unit AND s.book_id = NEW.book) THEN
            RAISE EXCEPTION 'the unit is of another book' USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER commissioned_by_staff BEFORE INSERT ON meter_photo FOR EACH ROW EXECUTE FUNCTION commissioned_by_staff();
CREATE TRIGGER commissioned_by_staff BEFORE INSERT ON commission_step FOR EACH ROW EXECUTE FUNCTION commissioned_by_staff();
CREATE TRIGGER commissioned_by_staff BEFORE INSERT ON alarm_setting FOR EACH ROW EXECUTE FUNCTION commissioned_by_staff();
ALTER TABLE meter_photo ENABLE ALWAYS TRIGGER commissioned_by_staff;
ALTER TABLE commission_step ENABLE ALWAYS TRIGGER commissioned_by_staff;
ALTER TABLE alarm_setting ENABLE ALWAYS TRIGGER commissioned_by_staff;
