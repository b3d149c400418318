"""One public function for each command and button."""
