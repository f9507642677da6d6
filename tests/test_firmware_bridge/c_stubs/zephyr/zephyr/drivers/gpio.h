#pragma once
#include <zephyr/kernel.h>
struct gpio_dt_spec {
    const struct device *port;
};
#define GPIO_DT_SPEC_GET(node, property) {&node}
#define GPIO_OUTPUT_INACTIVE 0u
extern const struct device node_led0;
int gpio_pin_configure_dt(const struct gpio_dt_spec *spec, uint32_t flags);
int gpio_pin_set_dt(const struct gpio_dt_spec *spec, int value);
