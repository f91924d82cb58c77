-- What gateways told of alarms and holds, and what the desk said to it, is looked for by meter. Events are append-only already.
CREATE INDEX event_alarm ON event (book, id) WHERE kind IN ('gateway.alarm_raised', 'gateway.alarm_cleared',
    'gateway.safety_cut', 'gateway.safety_released', 'gateway.safety_reset_refused', 'supply.safety_reset', 'desk.alarm_seen');
CREATE INDEX event_meter_alarm ON event (book, gateway, meter, id) WHERE kind IN ('gateway.safety_cut', 'gateway.safety_released');
