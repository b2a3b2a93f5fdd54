"""Medical: recordings of people, their layout as clips, their labels and the folds that test every arm
alike."""
