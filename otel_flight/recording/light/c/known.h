/* What light spans in C know: of the API, the SDK and the Python code, which is given once, and where
 * the objects of our own keep their fields. There is one interpreter in a process whose spans are
 * these: it is all kept once. */

#ifndef OTEL_FLIGHT_KNOWN_H
#define OTEL_FLIGHT_KNOWN_H

#include <Python.h>

#include "../../encoding/_ring_writer.h"

/* What `configure` is given. */
#define GIVEN(X)                                                                                   \
    X(context_variable) X(span_key) X(context_type) X(span_context_type) X(invalid_span)           \
    X(non_recording_type) X(internal_kind) X(unset_status) X(sdk_namespace)                         \
    X(default_state) X(flags) X(generator_type) X(generate_span_id) X(generate_trace_id)           \
    X(is_trace_id_random) X(ids_namespace) X(random_module) X(random_namespace) X(no_config)       \
    X(span_type) X(python_span) X(recorder_type) X(writer_type) X(switch_type) X(shape_type)       \
    X(sdk_tracer_type) X(sdk_span_type) X(sdk_start_span) X(python_start_span) X(give_odd)         \
    X(own_start_span) X(trace_namespace) X(own_get_current_span) X(method_names) X(own_methods)    \
    X(close_attributes) X(export) X(warn_of_end) X(note_failure) X(running_loop) X(task_reference)
#define DECLARE(name) PyObject *name;
#define NAMES(X)                                                                                   \
    X(_switch) X(sampler) X(resource) X(span_processor) X(_span_processors) X(_tracer_config)      \
    X(is_enabled) X(id_generator) X(generate_span_id) X(generate_trace_id) X(is_trace_id_random)   \
    X(random) X(getrandbits) X(time_ns) X(start_span) X(set_attribute) X(set_attributes)           \
    X(update_name) X(get_span_context) X(greenlet) X(get_current_span) X(_Span)
#define SWITCH_SLOTS(X)                                                                            \
    X(is_light) X(is_recording) X(recorder) X(sampler) X(resource) X(pipeline) X(processors) X(config) \
    X(is_enabled) X(generator) X(follows_parent) X(root_bound) X(shape)                            \
    X(of_tracer) X(of_pipeline) X(of_config) X(of_generator) X(has_own_methods)
#define SHAPE_SLOTS(X)                                                                              \
    X(recorder) X(started) X(ended) X(exporting) X(most) X(resource) X(scope)                      \
    X(of_pipeline) X(processors)
#define RECORDER_SLOTS(X)                                                                          \
    X(is_recording) X(pipeline) X(_pid) X(_open) X(_roots) X(_silent) X(_write_light)              \
    X(_write_start) X(_root_end) X(_current_task) X(_now_ns)
#define DECLARE_OFFSET(name) Py_ssize_t name;

static struct {
    int is_used; /* by an interpreter */
    GIVEN(DECLARE)
} known;
static struct {
    NAMES(DECLARE)
} names;
static struct {
    SWITCH_SLOTS(DECLARE_OFFSET)
} in_switch;
static struct {
    SHAPE_SLOTS(DECLARE_OFFSET)
} in_shape;
static struct {
    RECORDER_SLOTS(DECLARE_OFFSET)
} in_recorder;
static PyObject *no_arguments, *zero, *span_id_bits, *trace_id_bits;
/* The names of arguments: of start_span, set_attribute, set_attributes, update_name and end. */
static PyObject *start_names, *pair_names, *attributes_names, *name_names, *end_names;
static long inherited_flags;

#define PART(object, offset) (*(PyObject **)((char *)(object) + (offset)))

/* Returns what a namespace has under a name now; an exception where it has nothing. */
static PyObject *
found_in(PyObject *namespace, PyObject *name)
{
    PyObject *found = PyDict_GetItemWithError(namespace, name);
    if (found == NULL && !PyErr_Occurred()) {
        PyErr_Format(PyExc_NameError, "name '%U' is not defined", name);
    }
    return Py_XNewRef(found);
}

#endif
