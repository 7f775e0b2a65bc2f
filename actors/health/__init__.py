"""Health as evidence: signals, score, quality bands and status (pure), and the actor that keeps them."""
