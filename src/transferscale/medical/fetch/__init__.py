"""Public datasets, downloaded when somebody asks for one: resumable, checked, with the licence said and kept."""
