-- What was forecast for a wallet, so that it can be held against what came. Append-only; nothing is ever charged by it.
CREATE TABLE forecast (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book            int NOT NULL,
    wallet          bigint NOT NULL,
    made_us         bigint NOT NULL,
    from_us         bigint NOT NULL,
    because         text NOT NULL CHECK (because IN ('night', 'credit')),
    method          smallint NOT NULL,
    seed            bigint NOT NULL,
    history         smallint NOT NULL,
    inputs          bytea NOT NULL CHECK (length(inputs) = 16),
    available_micro bigint NOT NULL,
    early_us        bigint,
    mid_us          bigint,
    late_us         bigint,
    CONSTRAINT a_range_holds_its_middle CHECK (early_us <= mid_us AND mid_us <= late_us)
);
COMMENT ON COLUMN forecast.early_us IS 'when credit is used up: early in one case of ten, middle, late in one of ten; null beyond the days looked at';
COMMENT ON COLUMN forecast.inputs IS 'digest of the days and prices it rests on: with method and seed the same answer comes out again';
CREATE INDEX forecast_wallet ON forecast (wallet, id);
CREATE INDEX forecast_book ON forecast (book, from_us) WHERE because = 'night';

-- Cache: the newest outlook of a wallet, day by day; made again from its days of use at any time.
CREATE TABLE forecast_head (
    wallet       bigint PRIMARY KEY,
    book         int NOT NULL,
    forecast     bigint NOT NULL,
    made_us      bigint NOT NULL,
    batch        bigint NOT NULL,
    starts_us    bigint[] NOT NULL,
    low_micro    bigint[] NOT NULL,
    mid_micro    bigint[] NOT NULL,
    high_micro   bigint[] NOT NULL,
    first_micro  bigint[] NOT NULL,
    last_micro   bigint[] NOT NULL,
    shape        bigint[] NOT NULL,
    level_micro  bigint[] NOT NULL,
    day_micro    bigint NOT NULL,
    history      smallint NOT NULL,
    guessed_from smallint
) WITH (fillfactor = 60);
COMMENT ON COLUMN forecast_head.batch IS 'as of which batch the balance was: money that moved later asks for another forecast';
COMMENT ON COLUMN forecast_head.level_micro IS 'below which amount a home is warned that it lasts about 1, 2, 3 ... days';
CREATE INDEX forecast_head_book ON forecast_head (book);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON forecast FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON forecast FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE forecast ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate;
