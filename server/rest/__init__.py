"""The edge for enterprises and the public: REST over HTTPS."""
