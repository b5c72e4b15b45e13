"""Training on labelled recordings: settings, clips, augmentation, teachers, epochs, state, the checkpoint."""
