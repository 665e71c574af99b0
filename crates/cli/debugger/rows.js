/** Lists of input fields that grow and shrink: matchers and topics. */
import { icon, make } from './dom.js';

export class Rows {
  #list;
  #add;
  #noun;
  #types;
  #changed;

  /** `types` are the choices before each field; none for plain fields. */
  constructor({ list, add, noun, types = [], changed = () => {} }) {
    this.#list = list;
    this.#add = add;
    this.#noun = noun;
    this.#types = types;
    this.#changed = changed;
    add.addEventListener('click', () => this.add('', types[0]).focus());
  }

  /** All that are not empty: `{type, value}`. */
  get values() {
    const rows = [...this.#list.children].map((row) => ({
      type: row.querySelector('select')?.value,
      value: row.querySelector('input').value,
    }));
    return rows.filter((row) => row.value !== '');
  }

  /** Adds a row; its field. */
  add(value, type) {
    const input = make('input', { type: 'text', value, spellcheck: false, autocomplete: 'off', autocapitalize: 'off', oninput: this.#changed });
    const row = make('li', { className: 'row' });
    if (this.#types.length > 0) row.append(this.#select(type));
    const remove = make('button', { type: 'button', className: 'icon-button', onclick: () => this.#remove(row) }, icon('close'));
    row.append(input, remove);
    this.#list.append(row);
    this.#number();
    this.#changed();
    return input;
  }

  #select(type) {
    const options = this.#types.map((name) => make('option', { value: name, selected: name === type }, name));
    return make('select', { onchange: this.#changed }, ...options);
  }

  #remove(row) {
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (neighbour?.querySelector('input') ?? this.#add).focus();
    this.#number();
    this.#changed();
  }

  #number() {
    [...this.#list.children].forEach((row, index) => {
      const name = `${this.#noun} ${index + 1}`;
      row.querySelector('input').setAttribute('aria-label', name);
      row.querySelector('select')?.setAttribute('aria-label', `Type of ${name.toLowerCase()}`);
      const remove = row.querySelector('button');
      remove.setAttribute('aria-label', `Remove ${name.toLowerCase()}`);
      remove.hidden = this.#list.children.length === 1;
    });
  }
}
