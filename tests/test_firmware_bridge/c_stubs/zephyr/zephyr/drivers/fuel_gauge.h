#pragma once
#include <zephyr/kernel.h>
typedef uint16_t fuel_gauge_prop_t;
enum { FUEL_GAUGE_RELATIVE_STATE_OF_CHARGE = 10 };
union fuel_gauge_prop_val {
    int voltage;
    uint8_t relative_state_of_charge;
};
int fuel_gauge_get_prop(const struct device *gauge, fuel_gauge_prop_t property, union fuel_gauge_prop_val *value);
