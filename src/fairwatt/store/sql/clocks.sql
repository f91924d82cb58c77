-- How far a gateway's clock was ahead of ours from a batch on: a row when that changed by a second, never changed itself.
CREATE TABLE gateway_clock (
    book     int NOT NULL,
    gateway  bigint NOT NULL,
    batch    bigint NOT NULL,
    at_us    bigint NOT NULL,
    ahead_us bigint NOT NULL,
    PRIMARY KEY (gateway, batch)
);
COMMENT ON COLUMN gateway_clock.ahead_us IS 'its clock less ours when the quickest of its frames was taken in; below zero: behind, or long under way';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON gateway_clock FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON gateway_clock FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE gateway_clock ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate;
