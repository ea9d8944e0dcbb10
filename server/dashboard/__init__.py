"""What the platform may say about itself in public: figures by county and month, nothing about one firm."""
