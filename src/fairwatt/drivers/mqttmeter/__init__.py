"""Meters that speak MQTT themselves (NB-IoT, 4G): our documented messages in CBOR and JSON. No I/O."""
