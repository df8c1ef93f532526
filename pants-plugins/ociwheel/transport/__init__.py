"""How other machines are reached: connections, redirects, attempts, downloads, and the settings for them."""
