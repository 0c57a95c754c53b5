"""The exporters, and what the receivers behind them answer."""
