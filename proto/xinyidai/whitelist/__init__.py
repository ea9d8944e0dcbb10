"""The white list: which enterprises want finance and are in good standing, for banks that subscribed."""
