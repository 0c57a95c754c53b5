/* The ids of a span that is about to start, and whether it is sampled if that is clear. */

#ifndef OTEL_FLIGHT_IDS_H
#define OTEL_FLIGHT_IDS_H

#include "parent.h"

static inline int
is_as_seen(PyObject *namespace, PyObject *name, PyObject *seen)
{
    return seen != NULL && PyDict_GetItemWithError(namespace, name) == seen;
}

enum { SPAN_ID_BITS = 64, TRACE_ID_BITS = 128 };

/* Whether the ids of a tracer come from the SDK's own generator, which nobody has changed. */
static int
has_known_generator(PyObject *decided)
{
    PyObject *generator = PART(decided, in_switch.generator);
    PyObject *of_generator = PART(decided, in_switch.of_generator);
    PyObject *methods = ((PyTypeObject *)known.generator_type)->tp_dict;
    return is_as_seen(PART(decided, in_switch.of_tracer), names.id_generator, generator)
        && (PyObject *)Py_TYPE(generator) == known.generator_type
        && of_generator != NULL && PyDict_CheckExact(of_generator) && PyDict_GET_SIZE(of_generator) == 0
        && is_as_seen(methods, names.generate_span_id, known.generate_span_id)
        && is_as_seen(methods, names.generate_trace_id, known.generate_trace_id)
        && PyDict_GetItemWithError(methods, names.is_trace_id_random)
            == (known.is_trace_id_random == Py_None ? NULL : known.is_trace_id_random)
        && is_as_seen(known.ids_namespace, names.random, known.random_module);
}

/* As the SDK's generator: asks `random.getrandbits`, whatever that is now, until it is not 0. */
static PyObject *
random_id(PyObject *bits)
{
    for (;;) {
        PyObject *function = found_in(known.random_namespace, names.getrandbits);
        PyObject *made = function == NULL ? NULL : PyObject_CallOneArg(function, bits);
        Py_XDECREF(function);
        int is_zero = made == NULL ? 0 : PyObject_RichCompareBool(made, zero, Py_EQ);
        if (is_zero == 0) {
            return made;
        }
        Py_DECREF(made);
        if (is_zero < 0) {
            return NULL;
        }
    }
}

static PyObject *
new_span_id(PyObject *decided, int is_known)
{
    if (is_known) {
        return random_id(span_id_bits);
    }
    PyObject *generator = PyDict_GetItemWithError(PART(decided, in_switch.of_tracer),
                                                  names.id_generator);
    if (generator == NULL) {
        return NULL;
    }
    Py_INCREF(generator);
    PyObject *made = PyObject_CallMethodNoArgs(generator, names.generate_span_id);
    Py_DECREF(generator);
    return made;
}

static inline int
is_usual_id(PyObject *id)
{
    uint64_t number = PyLong_CheckExact(id) ? number_of(id) : 0;
    if (number == (uint64_t)-1) {
        PyErr_Clear();
        return 0;
    }
    return number != 0;
}

/* Makes the context of a span whose id is no number from 1 to 2**64 - 2, as light_tracer.py does. */
static int
take_odd_id(LightSpan *self)
{
    int is_valid = PyObject_RichCompareBool(self->span_id, zero, Py_GT);
    PyObject *context = is_valid < 0
        ? NULL
        : new_context(self, is_valid ? Py_True : Py_False);
    if (context == NULL) {
        return -1;
    }
    take_context(self, context);
    Py_DECREF(context);
    return 0;
}

/* Whether the sampler is one of those that need not be asked. */
static inline int
has_bound(PyObject *decided)
{
    PyObject *bound = PART(decided, in_switch.root_bound);
    return bound != NULL && PyLong_CheckExact(bound);
}

/* Decides about a span with nothing above it as the known samplers do; returns -1 with an exception,
 * 0 if it cannot be done, and nothing was. */
static int
decide_root(PyObject *decided, Above *above, int has_known_ids)
{
    PyObject *bound = PART(decided, in_switch.root_bound);
    uint64_t bound_high, bound_low, high, low;
    if (!has_known_ids || !has_bound(decided) || !halves_of(bound, &bound_high, &bound_low)) {
        return 0;
    }
    above->trace_id = random_id(trace_id_bits);
    if (above->trace_id == NULL || !PyLong_CheckExact(above->trace_id)
        || !halves_of(above->trace_id, &high, &low)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a trace id must be a number of 128 bits");
        }
        return -1;
    }
    above->state = Py_NewRef(known.default_state);
    above->flags = (bound_high != 0 || low < bound_low) | (inherited_flags & ~1L);
    return 1;
}

#endif
