"""The recorded exchange: a recording served over real HTTP and WebSockets, as the exchange did."""
