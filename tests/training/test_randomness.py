from __future__ import annotations

import torch

from napari_cryodrgn.training.randomness import draw_seed, generator, image_order


def test_order_is_a_permutation_of_its_own_for_each_epoch_and_seed() -> None:
    order = image_order(3, 1, 100)
    assert sorted(order.tolist()) == list(range(100))
    assert torch.equal(order, image_order(3, 1, 100))
    assert not torch.equal(order, image_order(3, 2, 100))
    assert not torch.equal(order, image_order(4, 1, 100))


def test_purposes_are_independent_of_each_other_and_of_the_global_generator() -> None:
    torch.manual_seed(0)
    first = torch.randn(5, generator=generator(1, "noise", 1))
    torch.manual_seed(1)
    assert torch.equal(first, torch.randn(5, generator=generator(1, "noise", 1)))
    assert not torch.equal(first, torch.randn(5, generator=generator(1, "order", 1)))


def test_drawn_seeds_are_accepted_as_options() -> None:
    assert all(0 <= draw_seed() < 2**31 for _ in range(20))
