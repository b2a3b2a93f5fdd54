"""What a study is: schema, grid of runs, checks. Pure: importing it imports neither torch nor a stage."""
