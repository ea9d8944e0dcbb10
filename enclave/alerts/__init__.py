"""Monitoring after the loan: banks' watches, and one alert for each check."""
