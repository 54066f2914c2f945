"""The full ImageNet evaluation: both models on the same pixels, image by image, and what their accuracies prove."""
