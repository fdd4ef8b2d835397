monitors() { :; }
