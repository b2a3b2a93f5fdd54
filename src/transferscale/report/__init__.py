"""Tables into one HTML page that answers the study's question first."""
