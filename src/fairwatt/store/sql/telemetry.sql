-- Second by second: what meters did between two readings. Off the ledger's path: no money, no supply rests on it.
-- A row is a block as the gateway packed it (wire/telemetry.py), of one meter. One partition a day; instants in seconds.

CREATE TABLE tele_second (
    start_s bigint NOT NULL,
    meter   bigint NOT NULL,
    wallet  bigint NOT NULL,
    book    int NOT NULL,
    seconds smallint NOT NULL CHECK (seconds BETWEEN 1 AND 600),
    body    bytea NOT NULL,
    PRIMARY KEY (meter, start_s)
) PARTITION BY RANGE (start_s);
ALTER TABLE tele_second ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TRIGGER tele_append_only BEFORE UPDATE OR DELETE ON tele_second FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE tele_second ENABLE ALWAYS TRIGGER tele_append_only;

-- A day of a meter and a wallet in steps of a minute or a quarter: the least, the most, sum and number of its seconds.
CREATE TABLE tele_day (
    day_s       bigint NOT NULL,
    meter       bigint NOT NULL,
    wallet      bigint NOT NULL,
    book        int NOT NULL,
    step_s      int NOT NULL CHECK (step_s IN (60, 900)),
    power_n     int[] NOT NULL,
    power_min   int[] NOT NULL,
    power_max   int[] NOT NULL,
    power_sum   bigint[] NOT NULL,
    voltage_n   int[] NOT NULL,
    voltage_min int[] NOT NULL,
    voltage_max int[] NOT NULL,
    voltage_sum bigint[] NOT NULL,
    current_n   int[] NOT NULL,
    current_min int[] NOT NULL,
    current_max int[] NOT NULL,
    current_sum bigint[] NOT NULL,
    PRIMARY KEY (meter, day_s, step_s, wallet)
);

-- Days whose steps are made. A late block takes its day out again; without a row here no second is ever dropped.
CREATE TABLE tele_rolled (
    day_s bigint PRIMARY KEY,
    at_us bigint NOT NULL
);

-- Blocks that could not be kept, counted by gateway, reason and day: never silently.
CREATE TABLE tele_refused (
    book    int NOT NULL,
    gateway text NOT NULL,
    code    text NOT NULL,
    day_s   bigint NOT NULL,
    blocks  bigint NOT NULL,
    detail  text NOT NULL,
    PRIMARY KEY (book, gateway, code, day_s)
);

CREATE FUNCTION make_tele_partitions(from_s bigint, until_s bigint) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    day_s bigint := from_s - mod(from_s, 86400);
    name  text;
    made  int := 0;
BEGIN
    IF until_s - from_s > 500 * 86400 THEN
        RAISE EXCEPTION 'more than 500 days of telemetry at once' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    WHILE day_s < until_s LOOP
        name := 'tele_second_' || to_char(to_timestamp(day_s) AT TIME ZONE 'UTC', 'YYYYMMDD');
        IF to_regclass('public.' || name) IS NULL THEN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.tele_second FOR VALUES FROM (%s) TO (%s)', name, day_s, day_s + 86400);
            EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER tele_append_only', name);
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
            EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
            made := made + 1;
        END IF;
        day_s := day_s + 86400;
    END LOOP;
    RETURN made;
END $$;

-- The seconds of a day go when its steps are made; nothing else takes them away.
CREATE FUNCTION drop_tele_day(day bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    name text := 'tele_second_' || to_char(to_timestamp(day) AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
    IF NOT EXISTS (SELECT 1 FROM tele_rolled r WHERE r.day_s = day) THEN
        RAISE EXCEPTION 'the steps of day % are not made; its seconds stay', day USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF to_regclass('public.' || name) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN true;
END $$;

CREATE FUNCTION tele_days() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT extract(epoch FROM to_timestamp(right(c.relname, 8), 'YYYYMMDD'))::bigint
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'public.tele_second'::regclass ORDER BY 1
$$;
