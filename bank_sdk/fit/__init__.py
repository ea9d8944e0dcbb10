"""Fitting a points model on the catalogue's own cells, for banks whose model cannot be taken over exactly."""
