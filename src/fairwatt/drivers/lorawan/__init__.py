"""LoRaWAN meters behind a ChirpStack v4 network server: uplinks, downlinks, payloads by table. No I/O."""
