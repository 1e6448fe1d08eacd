"""What the courier's own systems may ask of the parcels, under /api/v1 (the calls are in `voice.api`)."""
