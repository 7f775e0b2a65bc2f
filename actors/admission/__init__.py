"""Who of the fleet may connect when: slots that the hosts take from a board they share, outages, and order (pure)."""
