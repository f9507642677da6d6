/* Only what the example uses of Zephyr 4, so that it can be compiled where Zephyr is not installed; nothing runs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct device;
struct k_mem_slab {
    size_t block_size;
    uint32_t blocks;
};
struct k_msgq {
    size_t message_bytes;
    uint32_t messages;
};
typedef struct {
    int64_t ticks;
} k_timeout_t;
#define K_NO_WAIT ((k_timeout_t){0})
#define K_MEM_SLAB_DEFINE_STATIC(name, bytes, count, align) static struct k_mem_slab name = {(bytes), (count)}
#define K_MSGQ_DEFINE(name, bytes, count, align) struct k_msgq name = {(bytes), (count)}
#define ARG_UNUSED(argument) ((void)(argument))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define DT_NODELABEL(label) node_##label
#define DT_ALIAS(alias) node_##alias
#define DEVICE_DT_GET(node) (&node)
extern const struct device node_dmic_dev, node_fuel_gauge;
int k_msgq_put(struct k_msgq *queue, const void *message, k_timeout_t timeout);
int k_msgq_get(struct k_msgq *queue, void *message, k_timeout_t timeout);
void k_mem_slab_free(struct k_mem_slab *slab, void *block);
int64_t k_uptime_ticks(void);
uint64_t k_ticks_to_us_floor64(uint64_t ticks);
void k_panic(void);
